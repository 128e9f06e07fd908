/**
 * The provider: a Yjs document on a Chorus server, with the constructor, events and members that y-websocket has, and one
 * status that says what is saved.
 */
import { ObservableV2 } from 'lib0/observable'
import { Awareness } from 'y-protocols/awareness'
import { type Doc, encodeStateAsUpdate } from 'yjs'
import { type Environment, usualEnvironment } from './environment.ts'
import { Exchange } from './exchange.ts'
import { Link, type Token } from './link.ts'
import type { KeepingProblem, LocalCopy } from './local-copy.ts'
import { isOldCopy, mayOnlyRead, sentenceOf } from './reasons.ts'
import { Saving } from './saving.ts'
import { type ConnectionState, type SavedState, type Status, StatusBoard } from './status.ts'
import type { Closed, Transport } from './transport.ts'
import { documentUrl, type SocketClass, webSocketTransport } from './web-socket.ts'

export type ChorusProviderOptions = {
  /** False: not before `connect()`. */
  readonly connect?: boolean
  readonly awareness?: Awareness
  /** Query parameters of the URL; `provider.params` may be changed, and counts from the next connection on. */
  readonly params?: Readonly<Record<string, string>>
  readonly protocols?: readonly string[]
  /** A WebSocket class, where there is no global one (Node 20). */
  readonly WebSocketPolyfill?: SocketClass
  /** A token, or a function that gets one: it is called again before the access ends, and when the token was refused. */
  readonly token?: Token
  /** The longest wait between two tries, in milliseconds. */
  readonly maxBackoffTime?: number
  /** Asks the server every so many milliseconds what this document lacks. -1: only when there is a reason to. */
  readonly resyncInterval?: number
  /** False: a page with changes that are not saved may be left without a question. */
  readonly warnBeforeUnload?: boolean
  /** Milliseconds between two messages of one's own presence, such as a cursor. */
  readonly presenceInterval?: number
  /**
   * Keeps the document on this device, in IndexedDB: what is typed without a connection survives the page, and is sent later.
   * `shareWithTabs: false`: other tabs hear of changes from the server alone.
   */
  readonly offline?: boolean | { readonly shareWithTabs?: boolean }
  /** Time, chance and the page, for tests. */
  readonly environment?: Environment
}

/** Why `saved()` was rejected. */
export class NotSavedError extends Error {
  /** `refused`: the server does not take it. `unknown`: it does not tell. `destroyed`: the provider is no more. */
  readonly code: 'refused' | 'unknown' | 'destroyed'

  constructor(code: NotSavedError['code'], message: string) {
    super(message)
    this.name = 'NotSavedError'
    this.code = code
  }
}

/** The server has refused the document; `message` is a sentence for people. */
export type RefusedEvent = Closed & { readonly message: string }

export type ChorusProviderEvents = {
  status(event: { status: 'connecting' | 'connected' | 'disconnected' }): void
  sync(isSynced: boolean): void
  synced(isSynced: boolean): void
  'connection-close'(event: Closed | null, provider: ChorusProvider): void
  'connection-error'(error: unknown, provider: ChorusProvider): void
  /** Nothing is tried any more before `connect()`. */
  closed(event: RefusedEvent, provider: ChorusProvider): void
  /** The document was deleted, and this copy is of before. `update` is all of it, for whoever wants to keep it. */
  'old-copy'(event: { readonly update: Uint8Array }, provider: ChorusProvider): void
  /** This device does not keep changes, or has lost what it kept. The document works all the same. */
  'local-copy-problem'(event: { problem: KeepingProblem; cause: unknown }, provider: ChorusProvider): void
}

const presenceMs = 40
const backoffMaxMs = 15_000
/** Some browsers never answer: the server is not kept waiting for them. */
const localCopyMsMax = 2_000

export class ChorusProvider extends ObservableV2<ChorusProviderEvents> {
  readonly roomname: string
  readonly doc: Doc
  readonly awareness: Awareness
  params: Readonly<Record<string, string>>
  readonly #transport: Transport
  readonly #environment: Environment
  readonly #saving = new Saving()
  readonly #exchange: Exchange
  readonly #link: Link
  readonly #board: StatusBoard
  readonly #ends: (() => void)[] = []
  #isSynced = false
  #savedAt: number | null = null
  #since: number
  #toldState: ConnectionState = 'disconnected'
  #isDestroyed = false
  #copy: LocalCopy | null = null
  /** Resolves when what this device kept is in the document; at once without `offline`. Never rejects. */
  readonly whenLoaded: Promise<void>
  /** It is to connect once that is so. */
  #isStarting: boolean

  /**
   * `server`: the URL that y-websocket takes, to which the room is appended; or a `ChorusSocket`, which several share.
   * Throws for a URL that is none, and where there is no WebSocket.
   */
  constructor(server: string | Transport, room: string, doc: Doc, options: ChorusProviderOptions = {}) {
    super()
    const { environment = usualEnvironment } = options
    this.roomname = room
    this.doc = doc
    this.awareness = options.awareness ?? new Awareness(doc)
    this.params = options.params ?? {}
    this.#environment = environment
    this.#since = environment.nowMs()
    this.#transport =
      typeof server === 'string'
        ? webSocketTransport(server, {
            socketClass: options.WebSocketPolyfill,
            protocols: options.protocols ?? []
          })
        : server
    // What is in the document already has not come from this server, as far as anybody knows.
    if (doc.store.clients.size > 0) this.#saving.changed()
    this.#exchange = this.#createExchange(options.presenceInterval ?? presenceMs)
    this.#link = this.#createLink(options)
    this.#board = new StatusBoard(this.#status())
    this.#ends.push(environment.watchPage(this.#page(options.warnBeforeUnload ?? true)))
    this.#resyncEvery(options.resyncInterval ?? -1)
    doc.on('destroy', this.#docDestroyed)
    this.#isStarting = options.connect ?? true
    const { offline = false } = options
    this.whenLoaded = offline === false ? Promise.resolve() : this.#openCopy(offline === true ? {} : offline)
    if (offline === false) {
      this.#start()
      return
    }
    const cancel = environment.after(localCopyMsMax, () => this.#start())
    this.#ends.push(cancel)
    void this.whenLoaded.then(() => this.#start())
  }

  /** The present status. Needs no `this`. */
  get getSnapshot(): () => Status {
    return this.#board.getSnapshot
  }

  /** Calls the listener after each change of the status; returns what ends it. Needs no `this`. */
  get subscribe(): (listener: () => void) => () => void {
    return this.#board.subscribe
  }

  get synced(): boolean {
    return this.#isSynced
  }

  get wsconnected(): boolean {
    return this.#link.state === 'connected'
  }

  get wsconnecting(): boolean {
    return this.#link.state === 'connecting'
  }

  get shouldConnect(): boolean {
    return this.wsconnected || this.wsconnecting
  }

  /** The address of the document, without the token. */
  get url(): string {
    return documentUrl(this.#transport.url, { room: this.roomname, params: this.params })
  }

  connect(): void {
    this.#isStarting = false
    if (!this.#isDestroyed) this.#link.connect()
  }

  disconnect(): void {
    this.#isStarting = false
    this.#link.disconnect()
  }

  /** Removes what this device keeps of the document, and keeps nothing more. See `forgetLocalCopies` for all of them. */
  async forgetLocalCopy(): Promise<void> {
    const copy = this.#copy
    this.#copy = null
    this.#show()
    await copy?.forget()
  }

  /**
   * Resolves when every change made here until now is on the server's disk; it waits for a connection if need be. Rejects
   * with a NotSavedError when that will not be told.
   */
  saved(): Promise<void> {
    if (this.#isDestroyed) return Promise.reject(new NotSavedError('destroyed', 'the provider was destroyed'))
    const { saved, reason } = this.#status()
    if (saved === 'refused') return Promise.reject(new NotSavedError('refused', reason ?? mayOnlyRead))
    if (saved === 'unknown') return Promise.reject(blind())
    return this.#saving.settled()
  }

  override destroy(): void {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    this.disconnect()
    for (const end of this.#ends) end()
    this.doc.off('destroy', this.#docDestroyed)
    this.#exchange.close()
    void this.#copy?.close()
    this.awareness.destroy()
    this.#saving.failed(new NotSavedError('destroyed', 'the provider was destroyed'))
    super.destroy()
  }

  #createExchange(presenceMs: number): Exchange {
    const { doc, awareness } = this
    return new Exchange(
      {
        doc,
        awareness,
        origin: this,
        saving: this.#saving,
        environment: this.#environment,
        send: message => this.#link.send(message),
        presenceMs
      },
      {
        synced: () => {
          this.#link.worked()
          this.#setSynced(true)
        },
        savingChanged: news => {
          if (news === 'acknowledged') this.#savedAt = this.#environment.nowMs()
          if (this.#exchange.isBlind) this.#saving.failed(blind())
          if (this.#saving.isRefused) this.#saving.failed(new NotSavedError('refused', mayOnlyRead))
          this.#show()
        }
      }
    )
  }

  #start(): void {
    if (this.#isStarting) this.connect()
  }

  /** In a file of its own, which is loaded only now: most providers keep nothing. */
  async #openCopy({ shareWithTabs = true }: { shareWithTabs?: boolean }): Promise<void> {
    const failed = (problem: KeepingProblem, cause: unknown) => {
      this.#show()
      if (!this.#isDestroyed) this.emit('local-copy-problem', [{ problem, cause }, this])
    }
    try {
      const { LocalCopy } = await import('./local-copy.ts')
      if (this.#isDestroyed) return
      this.#copy = new LocalCopy({
        name: `${this.#transport.url}/${this.roomname}`,
        doc: this.doc,
        serverOrigin: this,
        made: () => this.#saving.made,
        isRefused: () => this.#savedState() === 'refused',
        isConnected: () => this.wsconnected,
        sharesWithTabs: shareWithTabs,
        changed: () => this.#show(),
        failed
      })
      await this.#copy.open()
    } catch (cause) {
      failed('denied', cause)
    }
  }

  #createLink({ token = null, maxBackoffTime = backoffMaxMs }: ChorusProviderOptions): Link {
    return new Link(
      {
        transport: this.#transport,
        room: this.roomname,
        token,
        params: () => this.params,
        backoffMaxMs: maxBackoffTime,
        environment: this.#environment
      },
      {
        opened: () => this.#exchange.begin(),
        received: message => this.#received(message),
        closed: closed => this.#connectionClosed(closed),
        changed: () => this.#connectionChanged(),
        failed: error => this.emit('connection-error', [error, this]),
        probe: () => this.#exchange.ask()
      }
    )
  }

  /** What cannot be read, or applied, is no reason to stop: the next connection brings it again. */
  #received(message: Uint8Array): void {
    try {
      this.#exchange.receive(message)
    } catch (error) {
      this.emit('connection-error', [error, this])
      this.#link.reset({ code: 1006, reason: 'a message of the server could not be used' })
    }
  }

  #connectionClosed(closed: Closed | null): void {
    this.#exchange.ended()
    this.emit('connection-close', [closed, this])
    this.#setSynced(false)
  }

  #connectionChanged(): void {
    const { state, closed } = this.#link
    const before = this.#toldState
    this.#toldState = state
    if (state !== before) this.#since = this.#environment.nowMs()
    this.#show()
    if (state === before) return
    this.emit('status', [{ status: state === 'refused' ? 'disconnected' : state }])
    if (state !== 'refused' || closed === null) return
    const message = sentenceOf(closed)
    this.#saving.failed(new NotSavedError('refused', message))
    this.emit('closed', [{ ...closed, message }, this])
    if (isOldCopy(closed)) this.emit('old-copy', [{ update: encodeStateAsUpdate(this.doc) }, this])
  }

  #setSynced(isSynced: boolean): void {
    if (this.#isSynced === isSynced) return
    this.#isSynced = isSynced
    this.#show()
    this.emit('synced', [isSynced])
    this.emit('sync', [isSynced])
  }

  #show(): void {
    this.#board.set(this.#status())
  }

  #status(): Status {
    const { state, closed } = this.#link
    return {
      connection: state,
      synced: this.#isSynced,
      pending: this.#saving.pending,
      saved: this.#savedState(),
      savedAt: this.#savedAt,
      since: this.#since,
      reason: closed !== null ? sentenceOf(closed) : this.#saving.isRefused ? mayOnlyRead : null
    }
  }

  #savedState(): SavedState {
    const { state, closed } = this.#link
    const hasPending = this.#saving.pending > 0
    if (state === 'refused' && (hasPending || (closed !== null && isOldCopy(closed)))) return 'refused'
    if (this.#saving.isRefused) return 'refused'
    if (hasPending) return this.#copy?.isKept(this.#saving.made) === true ? 'kept-here' : 'saving'
    return this.#exchange.isBlind ? 'unknown' : 'yes'
  }

  #page(warns: boolean) {
    return {
      online: () => this.#link.wake(),
      visible: () => this.#link.wake(),
      leaving: () => warns && ['saving', 'refused'].includes(this.#savedState())
    }
  }

  #resyncEvery(intervalMs: number): void {
    if (intervalMs <= 0) return
    const again = (): (() => void) =>
      this.#environment.after(intervalMs, () => {
        this.#exchange.ask()
        cancel = again()
      })
    let cancel = again()
    this.#ends.push(() => cancel())
  }

  readonly #docDestroyed = () => this.destroy()
}

function blind(): NotSavedError {
  return new NotSavedError('unknown', 'this server does not tell what it has saved')
}
