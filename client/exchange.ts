/**
 * What is said on a connection: the document's changes both ways, presence, acknowledgements. It knows neither sockets nor
 * tokens, and applies what it is sent with the provider as the origin.
 */
import {
  type Awareness,
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  removeAwarenessStates
} from 'y-protocols/awareness'
import { applyUpdate, type Doc, encodeStateAsUpdate, encodeStateVector, mergeUpdates } from 'yjs'
import type { Environment } from './environment.ts'
import { awarenessMessage, readMessage, syncStep1, syncStep2, updateMessage } from './messages.ts'
import type { Saving } from './saving.ts'

export type ExchangeParts = {
  readonly doc: Doc
  readonly awareness: Awareness
  /** The origin of what comes from the server: the provider. */
  readonly origin: object
  readonly saving: Saving
  readonly environment: Environment
  readonly send: (message: Uint8Array) => void
  /** Milliseconds between two messages of one's own presence. */
  readonly presenceMs: number
}

export type ExchangeEvents = {
  /** What the server had is here. */
  synced(): void
  /** What is saved, refused or pending has changed. `acknowledged`: something came on disk. */
  savingChanged(news: 'acknowledged' | 'other'): void
}

/** `unknown`: the connection has not come so far. */
type Acknowledges = 'unknown' | 'yes' | 'no'

export class Exchange {
  readonly #parts: ExchangeParts
  readonly #events: ExchangeEvents
  #isOpen = false
  /** Everything that was made before has been sent: only then does a change alone say enough. */
  #hasToldAll = false
  #isSynced = false
  #acknowledges: Acknowledges = 'unknown'
  #isBlind = false
  /** Changes of this turn. */
  #gathered: Uint8Array[] = []
  #isFlushDue = false
  #cancelPresence: (() => void) | null = null
  #isPresenceDue = false

  constructor(parts: ExchangeParts, events: ExchangeEvents) {
    this.#parts = parts
    this.#events = events
    parts.doc.on('update', this.#changed)
    parts.awareness.on('update', this.#presenceChanged)
  }

  /** The last connection that got so far was to a server that acknowledges nothing. */
  get isBlind(): boolean {
    return this.#isBlind
  }

  begin(): void {
    const { doc, saving } = this.#parts
    saving.begin()
    this.#isOpen = true
    this.#hasToldAll = false
    this.#isSynced = false
    this.#acknowledges = 'unknown'
    this.#gathered = []
    this.#parts.send(syncStep1(encodeStateVector(doc)))
    this.#sendPresence()
  }

  /** Asks for what this document lacks: any server answers. */
  ask(): void {
    if (this.#isOpen) this.#parts.send(syncStep1(encodeStateVector(this.#parts.doc)))
  }

  /** The connection is over: nobody else is seen any more. */
  ended(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#gathered = []
    this.#cancelPresence?.()
    this.#cancelPresence = null
    const { awareness, doc, origin } = this.#parts
    const others = [...awareness.getStates().keys()].filter(clientID => clientID !== doc.clientID)
    removeAwarenessStates(awareness, others, origin)
  }

  close(): void {
    this.ended()
    this.#parts.doc.off('update', this.#changed)
    this.#parts.awareness.off('update', this.#presenceChanged)
  }

  /** Throws for bytes that are no message, and what a listener of the document throws. */
  receive(bytes: Uint8Array): void {
    const message = readMessage(bytes)
    const { doc, awareness, origin, saving } = this.#parts
    switch (message.type) {
      case 'sync-step-1':
        return this.#tellAll(message.stateVector)
      case 'sync-step-2':
      case 'update':
        applyUpdate(doc, message.update, origin)
        return message.type === 'sync-step-2' ? this.#step2Came() : undefined
      case 'awareness':
        return applyAwarenessUpdate(awareness, message.states, origin)
      case 'query-awareness':
        return this.#sendPresence()
      case 'acknowledged':
        this.#acknowledges = 'yes'
        this.#isBlind = false
        return this.#events.savingChanged(saving.acknowledged(message.count) ? 'acknowledged' : 'other')
      case 'not-taken':
        saving.notTaken(message.number)
        return this.#events.savingChanged('other')
      default:
        return
    }
  }

  #tellAll(stateVector: Uint8Array): void {
    const { doc, saving, send } = this.#parts
    this.#gathered = []
    this.#hasToldAll = true
    saving.sending('everything')
    send(syncStep2(encodeStateAsUpdate(doc, stateVector)))
    this.#blindlySent()
  }

  #step2Came(): void {
    if (this.#acknowledges === 'unknown') {
      this.#acknowledges = 'no'
      this.#isBlind = true
    }
    this.#blindlySent()
    if (this.#isSynced) return
    this.#isSynced = true
    this.#events.synced()
  }

  readonly #changed = (update: Uint8Array, origin: unknown) => {
    const { saving } = this.#parts
    if (origin === this.#parts.origin) return
    saving.changed()
    if (this.#hasToldAll && this.#isOpen) this.#gather(update)
    this.#events.savingChanged('other')
  }

  #gather(update: Uint8Array): void {
    this.#gathered.push(update)
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    queueMicrotask(() => {
      this.#isFlushDue = false
      this.#flush()
    })
  }

  /** What was changed in one turn leaves as one message. */
  #flush(): void {
    const gathered = this.#gathered
    const [first] = gathered
    if (first === undefined || !this.#isOpen) return
    this.#gathered = []
    this.#parts.saving.sending('update')
    this.#parts.send(updateMessage(gathered.length === 1 ? first : mergeUpdates(gathered)))
    this.#blindlySent()
  }

  /** A server that tells nothing: nothing is waited for. */
  #blindlySent(): void {
    if (this.#acknowledges !== 'no' || !this.#hasToldAll) return
    this.#parts.saving.forget()
    this.#events.savingChanged('other')
  }

  /** Servers confirm one's own state with a clock of theirs, and want to see it taken: so it is sent whoever changed it. */
  readonly #presenceChanged = ({
    added,
    updated,
    removed
  }: Record<'added' | 'updated' | 'removed', number[]>) => {
    const { clientID } = this.#parts.doc
    if (![added, updated, removed].some(ids => ids.includes(clientID))) return
    if (this.#cancelPresence !== null) {
      this.#isPresenceDue = true
      return
    }
    this.#sendPresence()
    this.#cancelPresence = this.#parts.environment.after(this.#parts.presenceMs, () => {
      this.#cancelPresence = null
      if (this.#isPresenceDue) this.#presenceChanged({ added: [clientID], updated: [], removed: [] })
    })
  }

  #sendPresence(): void {
    const { awareness, doc } = this.#parts
    this.#isPresenceDue = false
    if (!this.#isOpen || !awareness.meta.has(doc.clientID)) return
    // A cursor must not be ahead of the text that it stands in.
    this.#flush()
    this.#parts.send(awarenessMessage(encodeAwarenessUpdate(awareness, [doc.clientID])))
  }
}
