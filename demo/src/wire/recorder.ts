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
import type { At, ConnectionPassage, MessagePassage, Passage } from './tap.ts'
import { counted, quoted } from './words.ts'

/** A message that has passed and is still to be decoded. */
export type Heard = {
  readonly atMs: number
  /** To be called once, in the order of `atMs` over all panes: one pane's messages explain another's. */
  decode(): Decoded
}

export type Decoded = {
  readonly row: WireRow
  /** Rows of which it is known now when they were durable, or that it will not be known. */
  readonly confirmed: readonly WireRow[]
}

export type Recording = {
  /** What has passed since the last time. */
  heard(): readonly Heard[]
  /** Ends it; returns the rows of which nobody will see now when they are durable. */
  end(): readonly WireRow[]
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
      if (lost === 0) {
        return passages.map(passage => ({ atMs: passage.atMs, decode: () => decoder.decode(passage) }))
      }
      // The page slept, or a busy room was too much for it. What is left of it would be told wrongly.
      return [{ atMs: performance.now(), decode: () => decoder.skip(passages.length + lost) }]
    },
    end() {
      options.listening.stop()
      return decoder.forget()
    }
  }
}

class Decoder {
  readonly #participant: Participant
  readonly #people: People
  readonly #deleters: Deleters
  readonly #nextId: () => number
  readonly #presence: PresenceWords
  readonly #waiting = new Set<WireRow>()
  #durability: Durability<WireRow>
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

  /** Goes on from the present, for what was missed is in it. */
  skip(count: number): Decoded {
    const { tap, unacknowledged } = this.#participant.wire
    this.#durability = followDurability(tap.dialect, unacknowledged())
    this.#startOver()
    const words = `${counted(count, 'message')} passed too quickly to be shown`
    const row = this.#eventRow('missed', { connection: 0, atMs: performance.now() }, words)
    return { row, confirmed: this.forget() }
  }

  /** Rows that waited for the server's word wait no more, and say nothing of it. */
  forget(): readonly WireRow[] {
    const rows = [...this.#waiting]
    for (const row of rows) row.durable = { phase: 'none' }
    this.#waiting.clear()
    return rows
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
      this.#waiting.delete(saved)
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
    if (wantsDisk) this.#waiting.add(row)
    return { row, message }
  }

  #connectionRow(passage: ConnectionPassage): WireRow {
    const words =
      passage.kind === 'opened'
        ? 'connected'
        : `connection closed, code ${passage.code}${passage.reason === '' ? '' : `: ${passage.reason}`}`
    return this.#eventRow(passage.kind, passage, words)
  }

  #eventRow(way: WireRow['way'], at: At, words: string): WireRow {
    return {
      ...this.#base(at),
      way,
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

  #base({ atMs, connection }: At) {
    const { seat, wire } = this.#participant
    return { id: this.#nextId(), seat, dialect: wire.tap.dialect, connection, atMs }
  }

  #startOver(): void {
    const { doc } = this.#participant
    this.#replica = createReplica(Y.encodeStateAsUpdate(doc), doc)
  }

  #tell(message: WireMessage, direction: 'sent' | 'received'): Told {
    switch (message.kind) {
      case 'Update':
      case 'SyncStep2':
        try {
          return this.#tellUpdate(message.update, direction)
        } catch (error) {
          // The provider has the same bytes and says the same; the view goes on with the next message.
          return plain(`cannot be taken apart here: ${String(error)}`)
        }
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
    if (isWaiting) this.#startOver()
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
