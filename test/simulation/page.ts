/**
 * One open page: a real Y.Doc with a client that does what y-websocket 3.1 or a Hocuspocus provider does, message by
 * message (their sources are the reference for every order of calls here), and checks what it is sent.
 */
import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { scanUpdate, type UpdateScan } from '../../src/document/scan.ts'
import type { Chance } from './chance.ts'
import { checkPromises, editAtRandom } from './edits.ts'
import type { Ledger } from './ledger.ts'
import {
  authDenied,
  awarenessMessage,
  clocksOf,
  messageAuth,
  messageAwareness,
  messageQueryAwareness,
  messageSync,
  messageSyncStatus,
  step1,
  step2,
  stepUpdate,
  syncMessage
} from './page-messages.ts'
import { createAwareness, type VirtualAwareness } from './presence.ts'
import { authMessage, closeMessage, type Tongue } from './tongue.ts'
import { type Trace, Violation } from './trace.ts'
import type { Scope, VirtualClock } from './virtual-time.ts'
import type { Wire } from './wire.ts'

/** y-websocket gives a connection up when no message came for so long, and looks every tenth of it. */
const watchdogMs = 30_000
const backoffMsMax = 2_500

export type PageParts = {
  readonly clock: VirtualClock
  readonly chance: Chance
  readonly trace: Trace
  readonly ledger: Ledger
  readonly document: string
  readonly tongue: Tongue
  readonly clientID: number
  readonly name: string
  readonly pasteChars: number
  /** `causal`: it does not edit while its connection has not yet said what it has, see Plan. */
  readonly order: 'causal' | 'gaps'
  readonly connect: (page: Page) => Wire
  /** Whether documents may be sent in parts that show, because they are that large. */
  readonly mayShowParts: () => boolean
  /** An update of this page's own. */
  readonly onEdit: (update: Uint8Array) => void
  readonly watch: PageWatch
}

/** Who looks at what a page is told. */
export type PageWatch = {
  /** It asks for the document. What is returned is called when it has been told that it has all of it. */
  asks(page: Page): () => void
  /** It was sent this. */
  shown(page: Page, scan: UpdateScan): void
  /** What it sent is acknowledged. */
  saved(page: Page): void
  /** How often the document has been deleted by now. */
  deletions(document: string): number
}

/** Sent on the first message of the next connection. `scan`: of an update. */
type Queued = { readonly message: Uint8Array; readonly scan: UpdateScan | null }

export class Page {
  readonly doc: Y.Doc
  readonly name: string
  readonly document: string
  readonly #parts: PageParts
  readonly #time: Scope
  readonly #presence: VirtualAwareness
  #wire: Wire | null = null
  #isConnected = false
  #isSynced = false
  /** It has answered the server's SyncStep1, so that all it has is on its way. */
  #hasToldAll = false
  #isWanted = true
  #isClosed = false
  /** Its document was deleted: it is told so, again and again. */
  #isRetired = false
  #isTold = false
  /** Its right was taken away, or will be in a moment: it is refused. */
  #isOutlaw = false
  #deletionsBefore = 0
  /** It has heard that the document is gone, so that what it is sent from now on is of another life. */
  #isGone = false
  #failures = 0
  #lastMessageMs = 0
  #syncedAtMs = 0
  /** What it sent on this connection, and how much of it each SyncStep1 not answered yet covers. */
  #sent: UpdateScan[] = []
  #barriers: number[] = []
  /** Hocuspocus: updates not acknowledged, as the provider counts them; and what waits for the server's first word. */
  #unsaved = 0
  /** SyncStep1 messages of its own, to each of which the server will answer with one, too. */
  #questions = 0
  #queued: Queued[] = []
  #checkSynced: () => void = () => {}

  constructor(parts: PageParts) {
    this.#parts = parts
    this.name = parts.name
    this.document = parts.document
    this.#time = parts.clock.scope()
    // A guid of Yjs's own is random, and dear.
    this.doc = new Y.Doc({ guid: parts.name })
    this.doc.clientID = parts.clientID
    this.#presence = createAwareness(this.doc, () => this.#time.nowMs())
    this.#presence.awareness.setLocalState({ name: parts.name, cursor: 0 })
    this.doc.on('update', (update: Uint8Array, origin: unknown) => this.#updated(update, origin))
    this.doc.on('afterTransaction', () => this.#look())
    this.awareness.on('update', ({ added, updated, removed }: Record<string, number[]>, origin: unknown) => {
      if (origin === this && !parts.tongue.echoes) return
      this.#sendStates([...(added ?? []), ...(updated ?? []), ...(removed ?? [])])
    })
    this.#tick()
    this.#setUp()
  }

  get awareness() {
    return this.#presence.awareness
  }

  get isSynced(): boolean {
    return this.#isConnected && this.#isSynced
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Nothing is counted as not yet on disk. */
  get isSaved(): boolean {
    return this.#unsaved === 0
  }

  get wire(): Wire | null {
    return this.#wire
  }

  /** Told that its copy belongs to a document that was deleted, or that it has no right any more. */
  get isTold(): boolean {
    return this.#isTold
  }

  /** Its document was deleted. */
  get isRetired(): boolean {
    return this.#isRetired
  }

  /** When this connection had everything. */
  get syncedAtMs(): number {
    return this.#syncedAtMs
  }

  /** Its document is about to be deleted. */
  retire(): void {
    this.#isRetired = true
    this.#deletionsBefore = this.#parts.watch.deletions(this.document)
  }

  /** Its right is about to be taken away. It comes back all the same. */
  outlaw(): void {
    this.#isOutlaw = true
  }

  forgetTold(): void {
    this.#isTold = false
  }

  edit(): void {
    const { chance, order, trace, pasteChars } = this.#parts
    if (order === 'causal' && this.#isConnected && !this.#hasToldAll) return
    const what = editAtRandom(this.doc, chance, pasteChars)
    trace.note('edit', `${this.name} ${what} at ${Y.getState(this.doc.store, this.doc.clientID)}`)
  }

  moveCursor(): void {
    const { chance } = this.#parts
    if (this.awareness.getLocalState() === null) this.awareness.setLocalState({ name: this.name, cursor: -1 })
    else this.awareness.setLocalStateField('cursor', chance.below(1_000))
  }

  hideCursor(): void {
    this.awareness.setLocalState(null)
  }

  /** Asks for an acknowledgement, as `resyncInterval` does. */
  resync(): void {
    // A provider's counter begins anew then: acknowledgements on their way would be taken for that of the answer.
    if (this.#isConnected && this.#unsaved === 0) this.#sendStep1()
  }

  /** As a BroadcastChannel does: what another page of the same browser has done, past the server. */
  overhear(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update, this)
  }

  disconnect(): void {
    this.#isWanted = false
    this.#sendStates([this.doc.clientID], new Map())
    if (this.#wire !== null) this.#queued = []
    this.#drop(null)
  }

  /** Leaves the node it is on for another one. */
  hop(): void {
    if (this.#isClosed || !this.#isWanted) return
    this.#failures = 0
    this.#drop(null)
  }

  connect(): void {
    if (this.#isClosed) return
    this.#isWanted = true
    if (this.#wire === null) this.#setUp()
  }

  /** The page is closed. `goodbye`: as provider.destroy(); `vanish`: the machine is gone, and nobody is told. */
  close(how: 'goodbye' | 'vanish'): void {
    if (this.#isClosed) return
    if (how === 'goodbye') this.#leave()
    else this.#wire?.cut('client')
    this.#isClosed = true
    this.#wire = null
    this.#isConnected = false
    this.#time.end()
    this.doc.destroy()
  }

  #leave(): void {
    if (this.#parts.tongue.name === 'hocuspocus') {
      this.#sendStates([this.doc.clientID], new Map())
      this.#send(closeMessage)
    }
    this.disconnect()
  }

  /** Every three seconds, as y-websocket and y-protocols do. */
  #tick(): void {
    this.#time.after(watchdogMs / 10, () => this.#tick())
    this.#presence.tick()
    if (!this.#isConnected || watchdogMs >= this.#time.nowMs() - this.#lastMessageMs) return
    // As providers do (`checkConnection` in 2.15, 3.4 and 4.8): what waited is not sent on the next connection.
    this.#queued = []
    this.#drop(null)
  }

  #setUp(): void {
    if (!this.#isWanted || this.#wire !== null || this.#isClosed) return
    const wire = this.#parts.connect(this)
    this.#wire = wire
    this.#isSynced = false
    wire.client = {
      onopen: () => this.#wire === wire && this.#opened(),
      onmessage: bytes => this.#wire === wire && this.#received(bytes),
      onclose: code => this.#wire === wire && this.#drop(code)
    }
  }

  #opened(): void {
    this.#parts.trace.note('open', this.name)
    this.#isConnected = true
    this.#hasToldAll = false
    this.#sent = []
    this.#barriers = []
    this.#questions = 0
    this.#lastMessageMs = this.#time.nowMs()
    if (this.#parts.tongue.name === 'hocuspocus') this.#send(authMessage('token'))
    this.#checkSynced = this.#parts.watch.asks(this)
    this.#sendStep1()
    if (this.awareness.getLocalState() !== null) this.#sendStates([this.doc.clientID])
  }

  /** `null`: closed by this side. */
  #drop(code: number | null): void {
    const wire = this.#wire
    if (wire === null) return
    this.#parts.trace.note('close', `${this.name} ${code ?? 'by itself'}`)
    if (this.#isRetired && (code === 4404 || code === 4410))
      this.#isGone ||= this.#parts.watch.deletions(this.document) > this.#deletionsBefore
    if (code === 4410 && this.#isRetired) this.#isTold = true
    else if (code === 4403 && this.#isOutlaw) this.#isTold = true
    else if (code !== null && code >= 4400 && code < 4500 && !(code === 4404 && this.#isRetired))
      throw new Violation(`${this.name} was told never to come back: ${code}`)
    this.#wire = null
    wire.clientClose()
    if (this.#isConnected) {
      this.#isConnected = false
      this.#isSynced = false
      const others = [...this.awareness.getStates().keys()].filter(id => id !== this.doc.clientID)
      removeAwarenessStates(this.awareness, others, this)
    }
    this.#failures++
    this.#time.after(Math.min(2 ** this.#failures * 100, backoffMsMax), () => this.#setUp())
  }

  #received(bytes: Uint8Array): void {
    this.#lastMessageMs = this.#time.nowMs()
    this.#sendQueued()
    const message = this.#parts.tongue.unwrap(bytes)
    if (message === null) return
    const decoder = createDecoder(message)
    const type = readVarUint(decoder)
    if (type === messageAwareness) {
      const update = readVarUint8Array(decoder)
      this.#parts.trace.note('presence in', `${this.name} ${clocksOf(update)}`)
      applyAwarenessUpdate(this.awareness, update, this)
      return
    }
    if (type === messageAuth && this.#isAboutAccess(readVarUint(decoder))) return
    if (this.#parts.tongue.name === 'hocuspocus' && type === messageQueryAwareness)
      return this.#sendStates([...this.awareness.getStates().keys()])
    if (this.#parts.tongue.name === 'hocuspocus' && type === messageSyncStatus) {
      if (readVarUint(decoder) === 1) this.#acknowledged()
      return
    }
    if (type === messageSyncStatus && this.#isRetired) return
    if (type !== messageSync) throw new Violation(`${this.name} was sent message type ${type}`)
    const step = readVarUint(decoder)
    const body = readVarUint8Array(decoder)
    this.#parts.trace.note('receive', `${this.name} step ${step} of ${body.length} bytes`)
    if (step === step1) this.#answer(body)
    else this.#apply(step, body)
  }

  /** An old copy is denied; each dialect has its way, and y-websocket pages wait for the close frame. */
  #isAboutAccess(kind: number): boolean {
    const { tongue } = this.#parts
    const isDenied = tongue.name === 'hocuspocus' ? kind === authDenied : true
    if (isDenied && this.#isRetired && tongue.name === 'hocuspocus') this.#isTold = true
    if (isDenied && this.#isOutlaw && tongue.name === 'hocuspocus') {
      this.#isTold = true
      this.#drop(null)
    }
    if (isDenied && !this.#isRetired && !this.#isOutlaw) throw new Violation(`${this.name} was denied access`)
    return true
  }

  /**
   * The counter was set by the SyncStep1 before, so a provider does not count these. The server cannot see that of
   * updates that only delete, and acknowledges those: they are counted here, so that all others are checked exactly.
   */
  #sendQueued(): void {
    const queued = this.#queued
    this.#queued = []
    for (const { message, scan } of queued) {
      if (scan !== null) this.#sent.push(scan)
      if (scan?.structs.length === 0) this.#unsaved++
      this.#send(message)
    }
  }

  /** At zero a provider says that it is synced, and that everything it sent is on disk. */
  #acknowledged(): void {
    if (this.#unsaved === 0) throw new Violation(`${this.name} was sent an acknowledgement too many`)
    this.#unsaved--
    if (this.#unsaved > 0) return
    if (!this.#isSynced) throw new Violation(`${this.name} has nothing unsaved before its end marker`)
    for (const scan of this.#sent) this.#parts.ledger.owes(scan)
    // Not once more with the next acknowledgement: the store may have gone back between the two.
    this.#sent = []
    this.#barriers = this.#barriers.map(() => 0)
    this.#parts.watch.saved(this)
  }

  #answer(stateVector: Uint8Array): void {
    const update = Y.encodeStateAsUpdate(this.doc, stateVector)
    // A provider counts the answers to its own SyncStep1 only: that it has nothing unsaved says nothing of the others,
    // in which there may be what another tab told this page past the server.
    const isCounted = this.#parts.tongue.name === 'y-websocket' || this.#questions > 0
    this.#questions = Math.max(0, this.#questions - 1)
    if (isCounted) this.#sendUpdate(step2, update)
    else this.#send(syncMessage(step2, update))
    this.#hasToldAll = true
  }

  #apply(step: number, update: Uint8Array): void {
    if (this.#isRetired && update.length > 2 && this.#isGone)
      throw new Violation(`${this.name} has an old copy and was sent the document`)
    const scan = scanUpdate(update)
    this.#parts.watch.shown(this, scan)
    this.#parts.ledger.owes(scan)
    if (step === step2) this.#endMarker(update)
    Y.applyUpdate(this.doc, update, this)
    const { pendingStructs, pendingDs } = this.doc.store
    const isPending = pendingStructs !== null || pendingDs !== null
    if (isPending && this.#isSynced && this.#parts.order === 'causal')
      throw new Violation(`${this.name} was sent what hangs on something it has not been sent`)
  }

  #endMarker(update: Uint8Array): void {
    if (update.length !== 2)
      throw new Violation(`${this.name} was sent a SyncStep2 of ${update.length} bytes`)
    const covered = this.#barriers.shift()
    if (covered === undefined) throw new Violation(`${this.name} was sent an end marker it has not asked for`)
    for (const scan of this.#sent.splice(0, covered)) this.#parts.ledger.owes(scan)
    this.#barriers = this.#barriers.map(count => count - covered)
    if (this.#isSynced) return this.#parts.watch.saved(this)
    this.#checkSynced()
    this.#isSynced = true
    this.#failures = 0
    this.#syncedAtMs = this.#time.nowMs()
    this.#look()
  }

  /** I13: whatever shows is whole. */
  #look(): void {
    const { order, mayShowParts } = this.#parts
    if (order !== 'causal' || (mayShowParts() && !this.isSynced)) return
    checkPromises(this.doc, this.name)
  }

  #updated(update: Uint8Array, origin: unknown): void {
    if (origin === this) return
    if (this.#isConnected) this.#sendUpdate(stepUpdate, update)
    else this.#queueUpdate(update)
    if (this.#parts.tongue.name === 'hocuspocus') this.#unsaved++
    this.#parts.onEdit(update)
  }

  /** In causal runs only behind all that was made before: it must not hang on what the SyncStep2 will bring. */
  #queueUpdate(update: Uint8Array): void {
    const { order, tongue } = this.#parts
    if (tongue.name !== 'hocuspocus') return
    const updates = this.#queued.filter(({ scan }) => scan !== null).length
    if (order === 'causal' && updates < this.#unsaved) return
    this.#queued.push({ message: syncMessage(stepUpdate, update), scan: scanUpdate(update) })
  }

  #sendStep1(): void {
    if (this.#parts.tongue.name === 'hocuspocus') this.#unsaved = 1
    this.#barriers.push(this.#sent.length)
    this.#questions++
    this.#send(syncMessage(step1, Y.encodeStateVector(this.doc)))
  }

  #sendUpdate(step: number, update: Uint8Array): void {
    if (!this.#isConnected) return
    this.#sent.push(scanUpdate(update))
    this.#send(syncMessage(step, update))
  }

  #sendStates(clientIDs: number[], states = this.awareness.getStates()): void {
    const { tongue } = this.#parts
    if (!this.#isConnected && tongue.name === 'y-websocket') return
    const update = encodeAwarenessUpdate(this.awareness, clientIDs, states)
    // Earlier providers tell everybody, once they are back, that everybody else is gone.
    if (!this.#isConnected) return void this.#queued.push({ message: awarenessMessage(update), scan: null })
    this.#parts.trace.note('presence out', `${this.name} ${clocksOf(update)}`)
    this.#send(awarenessMessage(update))
  }

  #send(message: Uint8Array): void {
    if (this.#isConnected) this.#wire?.clientSend(this.#parts.tongue.wrap(message))
  }
}
