/**
 * Keeps a channel to the server for as long as the application wants one: comes back after each loss, ever more slowly and
 * never in step with others; fetches tokens; notices a connection that only seems to be there. It never stops by itself,
 * except when the server says that coming back does not help.
 */
import type { Environment } from './environment.ts'
import { isAboutToken, isFinal } from './reasons.ts'
import type { ConnectionState } from './status.ts'
import type { Channel, ChannelEvents, Closed, Transport } from './transport.ts'

/** A token, or what gets one: called when there is none, when the one there is ends soon, and when it was refused. */
export type Token = string | (() => string | null | Promise<string | null>) | null

export type LinkOptions = {
  readonly transport: Transport
  readonly room: string
  readonly token: Token
  /** Looked at for each try. */
  readonly params: () => Readonly<Record<string, string>>
  readonly backoffMaxMs: number
  readonly environment: Environment
}

export type LinkEvents = {
  opened(): void
  received(message: Uint8Array): void
  /** The channel is over. `null`: it was ended here. */
  closed(closed: Closed | null): void
  /** `state` is another one. */
  changed(): void
  /** The token function failed, or the address is none. */
  failed(error: unknown): void
  /** Says something that any server answers. */
  probe(): void
}

const backoffMinMs = 200
/** Servers say something every 20 to 25 s. */
const silenceMaxMs = 30_000
const lookMs = 5_000

export class Link {
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  #state: ConnectionState = 'disconnected'
  #closed: Closed | null = null
  #channel: Channel | null = null
  #isOpen = false
  /** Tells a try from the ones before. */
  #turn = 0
  #failures = 0
  #token: string | null = null
  /** Whether `#token` may be used again. */
  #isTokenGood = false
  #refusedToken: string | null = null
  #cancelRetry: (() => void) | null = null
  #cancelLook: (() => void) | null = null
  #heardMs = 0

  constructor(options: LinkOptions, events: LinkEvents) {
    this.#options = options
    this.#events = events
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Why there is no connection: how the last one ended. */
  get closed(): Closed | null {
    return this.#closed
  }

  connect(): void {
    if (this.#state === 'connected') return
    // One that waits for its turn need not wait any longer.
    if (this.#state === 'connecting' && this.#cancelRetry === null) return
    this.#failures = 0
    this.#refusedToken = null
    this.#become('connecting', null)
    this.#try()
  }

  disconnect(): void {
    if (this.#state === 'disconnected') return
    this.#end()
    this.#events.closed(null)
    this.#become('disconnected', null)
  }

  /** The connection was of use: the next loss is the first. */
  worked(): void {
    this.#failures = 0
    this.#refusedToken = null
  }

  send(message: Uint8Array): void {
    if (this.#isOpen) this.#channel?.send(message)
  }

  /** It may be worth a try at once: the device is online again, or the page is seen again. */
  wake(): void {
    if (this.#cancelRetry !== null) {
      this.#retryIn(this.#options.environment.random() * backoffMinMs)
    } else if (this.#isOpen && this.#options.environment.nowMs() - this.#heardMs > lookMs) {
      // What is heard of it from now on counts; if nothing is, it is not waited for as long as usual.
      this.#heardMs = this.#options.environment.nowMs() - silenceMaxMs + lookMs
      this.#look()
      this.#events.probe()
    }
  }

  /** Ends a connection that makes no sense, and comes back. */
  reset(closed: Closed): void {
    this.#lost(closed)
  }

  #try(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = null
    const turn = ++this.#turn
    const { token } = this.#options
    if (typeof token !== 'function') return this.#open(turn, token)
    if (this.#isTokenGood) return this.#open(turn, this.#token)
    this.#fetchToken().then(
      fetched => {
        if (turn === this.#turn) this.#open(turn, fetched)
      },
      (error: unknown) => this.#failedIn(turn, error)
    )
  }

  async #fetchToken(): Promise<string | null> {
    const { token } = this.#options
    this.#token = typeof token === 'function' ? await token() : token
    this.#isTokenGood = true
    return this.#token
  }

  #open(turn: number, token: string | null): void {
    const { transport, room, params } = this.#options
    this.#token = token
    if (token !== null && token === this.#refusedToken) {
      return this.#refuse(this.#closed ?? { code: 4401, reason: '' })
    }
    this.#heardMs = this.#options.environment.nowMs()
    this.#look()
    try {
      this.#channel = transport.open({ room, token, params: params() }, this.#channelEvents(turn))
    } catch (error) {
      this.#failedIn(turn, error)
    }
  }

  #channelEvents(turn: number): ChannelEvents {
    const ifCurrent = (run: () => void) => {
      if (turn !== this.#turn) return
      this.#heardMs = this.#options.environment.nowMs()
      run()
    }
    return {
      opened: () =>
        ifCurrent(() => {
          this.#isOpen = true
          this.#become('connected', null)
          this.#events.opened()
        }),
      received: message => ifCurrent(() => this.#events.received(message)),
      tokenWanted: () => ifCurrent(() => this.#renew(turn)),
      closed: closed => ifCurrent(() => this.#lost(closed))
    }
  }

  /** If no token can be had now, the connection goes on until its grant ends. */
  #renew(turn: number): void {
    if (typeof this.#options.token !== 'function') return
    this.#fetchToken().then(
      token => {
        if (turn === this.#turn && token !== null) this.#channel?.renew(token)
      },
      (error: unknown) => {
        this.#isTokenGood = false
        this.#events.failed(error)
      }
    )
  }

  #failedIn(turn: number, error: unknown): void {
    if (turn !== this.#turn) return
    this.#events.failed(error)
    this.#lost({ code: 1006, reason: error instanceof Error ? error.message : String(error) })
  }

  #lost(closed: Closed): void {
    this.#end()
    this.#events.closed(closed)
    // Whoever heard of it may have disconnected, or connected anew.
    if (this.#state === 'disconnected' || this.#channel !== null) return
    const mayRenew = isAboutToken(closed) && typeof this.#options.token === 'function'
    if (isAboutToken(closed)) this.#isTokenGood = false
    if (mayRenew && closed.code === 4401) this.#refusedToken = this.#token
    if (isFinal(closed) && !mayRenew) return this.#refuse(closed)
    this.#become('connecting', closed)
    this.#retryIn(this.#backoffMs())
    this.#failures++
  }

  /** From half of it to all of it, so that those who lost a server together do not come back together. */
  #backoffMs(): number {
    const { backoffMaxMs, environment } = this.#options
    const wholeMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.#failures, 20))
    return wholeMs * (0.5 + environment.random() / 2)
  }

  #retryIn(delayMs: number): void {
    this.#cancelRetry?.()
    this.#cancelRetry = this.#options.environment.after(delayMs, () => this.#try())
  }

  #refuse(closed: Closed): void {
    this.#end()
    this.#isTokenGood = false
    this.#become('refused', closed)
  }

  /** A dead connection may be open for hours as far as the system knows. */
  #look(): void {
    this.#cancelLook?.()
    this.#cancelLook = this.#options.environment.after(lookMs, () => {
      if (this.#options.environment.nowMs() - this.#heardMs <= silenceMaxMs) return this.#look()
      this.reset({ code: 1006, reason: 'nothing was heard of the server' })
    })
  }

  #end(): void {
    this.#turn++
    this.#isOpen = false
    this.#channel?.close()
    this.#channel = null
    this.#cancelRetry?.()
    this.#cancelRetry = null
    this.#cancelLook?.()
    this.#cancelLook = null
  }

  #become(state: ConnectionState, closed: Closed | null): void {
    this.#state = state
    this.#closed = closed
    this.#events.changed()
  }
}
