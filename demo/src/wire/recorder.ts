// From the messages of one pane to the rows of the view. It decodes when it is told to, not when a message passes.
import * as Y from 'yjs'
import type { Participant } from '../participant.ts'
import type { Author, People } from './author.ts'
import type { Deleters } from './deleters.ts'
import { type Durability, followDurability } from './durability.ts'
import { decodeFrame, type WireMessage } from './frame.ts'
import type { Listening } from './listening.ts'
import { followPresence, type PresenceWords } from './presence-words.ts'
import { createReplica, type Replica } from './replica.ts'
import { keptBytesMax, type WireRow } from './row.ts'
import { summarize } from './structs.ts'
import type { ConnectionPassage, MessagePassage, Passage } from './tap.ts'
import { counted, quoted } from './words.ts'

/** A message that has passed and is still to be decoded. */
export type Heard = {
  readonly atMs: number
  /** To be called once, in the order of `atMs` over all panes: one pane's messages explain another's. */
  decode(): Decoded
}

export type Decoded = {
  readonly row: WireRow
  /** Rows that are durable now. */
  readonly confirmed: readonly WireRow[]
}

export type Recording = {
  /** What has passed since the last time. */
  heard(): readonly Heard[]
}

type Told = Pick<WireRow, 'words' | 'effects' | 'authors'> & { readonly update?: Uint8Array }

export type RecordingOptions = {
  readonly listening: Listening
  readonly people: People
  readonly deleters: Deleters
  readonly nextId: () => number
}

/** Makes rows of what is heard at a pane. */
export function record(participant: Participant, options: RecordingOptions): Recording {
  const decoder = new Decoder(participant, options)
  return {
    heard() {
      const { passages, lost } = options.listening.take()
      if (lost > 0) decoder.startOver()
      return passages.map(passage => ({ atMs: passage.atMs, decode: () => decoder.decode(passage) }))
    }
  }
}

class Decoder {
  readonly #participant: Participant
  readonly #people: People
  readonly #deleters: Deleters
  readonly #nextId: () => number
  readonly #presence: PresenceWords
  readonly #durability: Durability<WireRow>
  #replica: Replica

  constructor(participant: Participant, { listening, people, deleters, nextId }: RecordingOptions) {
    this.#participant = participant
    this.#people = people
    this.#deleters = deleters
    this.#nextId = nextId
    this.#presence = followPresence({
      known: listening.present,
      ownClientID: participant.doc.clientID,
      people
    })
    this.#durability = followDurability(participant.wire.tap.dialect, listening.unacknowledged)
    this.#replica = createReplica(listening.state, participant.doc)
  }

  /** What was missed is in the document by now. */
  startOver(): void {
    const { doc } = this.#participant
    this.#replica = createReplica(Y.encodeStateAsUpdate(doc), doc)
  }

  decode(passage: Passage): Decoded {
    if (!('bytes' in passage)) {
      if (passage.kind === 'opened') this.#durability.opened()
      return { row: this.#connectionRow(passage), confirmed: [] }
    }
    const { row, message } = this.#read(passage)
    const confirmed = this.#durability
      .passed(passage.kind, message, row)
      .filter(({ durable }) => durable.phase === 'waiting')
    for (const saved of confirmed) {
      saved.durable = { phase: 'durable', afterMs: passage.atMs - saved.atMs }
    }
    if (confirmed.length === 0) return { row, confirmed }
    // The one thing about this message that its bytes do not say.
    return {
      row: { ...row, words: `${counted(confirmed.length, 'message')} of this pane on disk` },
      confirmed
    }
  }

  #read(passage: MessagePassage) {
    const { dialect } = this.#participant.wire.tap
    const { message, address } = decodeFrame(dialect, passage.kind, passage.bytes)
    const told = this.#tell(message, passage.kind)
    const wantsDisk =
      passage.kind === 'sent' &&
      (message.kind === 'Update' || (message.kind === 'SyncStep2' && told.effects.length > 0))
    const row: WireRow = {
      ...this.#base(passage),
      ...told,
      way: passage.kind,
      type: message.kind,
      bytes: passage.bytes.length,
      // A copy: a slice of a large message would keep all of it.
      head: passage.bytes.slice(0, keptBytesMax),
      address,
      update: told.update !== undefined && told.update.length <= keptBytesMax ? told.update.slice() : null,
      durable: wantsDisk ? { phase: 'waiting' } : { phase: 'none' }
    }
    return { row, message }
  }

  #connectionRow(passage: ConnectionPassage): WireRow {
    const words =
      passage.kind === 'opened'
        ? 'connected'
        : `connection closed, code ${passage.code}${passage.reason === '' ? '' : `: ${passage.reason}`}`
    return {
      ...this.#base(passage),
      way: passage.kind,
      type: '',
      bytes: 0,
      head: new Uint8Array(),
      address: null,
      authors: [],
      words,
      effects: [],
      update: null,
      durable: { phase: 'none' }
    }
  }

  #base({ atMs, connection }: Passage) {
    const { seat, wire } = this.#participant
    return { id: this.#nextId(), seat, dialect: wire.tap.dialect, connection, atMs }
  }

  #tell(message: WireMessage, direction: 'sent' | 'received'): Told {
    switch (message.kind) {
      case 'Update':
      case 'SyncStep2':
        return this.#tellUpdate(message.update, direction)
      case 'Awareness': {
        const effects = this.#presence(message.entries, direction)
        const authors = message.entries.map(({ clientID }) => this.#people.author(clientID))
        return { words: inOneLine(effects, 'nobody'), effects, authors }
      }
      case 'SyncStep1':
        return plain(`state vector of ${counted(message.stateVector.size, 'client')}: what is missing?`)
      case 'SyncStatus':
        return plain(message.isSaved ? 'on disk' : 'nothing saved; keeps the connection alive')
      case 'Auth':
        return plain(message.words)
      case 'Stateless':
        return plain(quoted(message.payload))
      case 'Close':
        return plain(message.reason)
      case 'Unreadable':
        return plain(`cannot be read here: ${message.reason}`)
      case 'QueryAwareness':
        return plain('who is here?')
      case 'Ping':
      case 'Pong':
        return plain('keeps the connection alive')
      default:
        return message satisfies never
    }
  }

  #tellUpdate(update: Uint8Array, direction: 'sent' | 'received'): Told {
    const summary = summarize(update)
    if (summary === null) {
      this.#replica.apply(update)
      return { ...plain('too large to be taken apart here'), update }
    }
    const { effects, isWaiting } = this.#replica.apply(update)
    const isEmpty = summary.structs === 0 && summary.deletions === 0
    const nothing = isEmpty ? 'empty: nothing is missing' : `nothing new (${summary.words})`
    const words = isWaiting
      ? `${summary.words}, on top of something not seen here`
      : inOneLine(effects, nothing)
    if (isWaiting) this.startOver()
    return {
      words,
      effects,
      authors: isEmpty ? [] : this.#authorsOf(summary.authors, update, direction),
      update
    }
  }

  /** Structs name who made them; deletions do not, but a pane of this page that sent the same is known. */
  #authorsOf(clientIDs: readonly number[], update: Uint8Array, direction: 'sent' | 'received'): Author[] {
    if (clientIDs.length > 0) return clientIDs.map(clientID => this.#people.author(clientID))
    const { clientID } = this.#participant.doc
    if (direction === 'sent') this.#deleters.note(update, clientID)
    const deleter = direction === 'sent' ? clientID : this.#deleters.find(update)
    return deleter === null ? [] : [this.#people.author(deleter)]
  }
}

function plain(words: string): Told {
  return { words, effects: [], authors: [] }
}

const effectsInLine = 2

function inOneLine(effects: readonly string[], otherwise: string): string {
  if (effects.length === 0) return otherwise
  const line = effects.slice(0, effectsInLine).join('; ')
  return effects.length > effectsInLine ? `${line}; and ${effects.length - effectsInLine} more` : line
}
