// The network between the replicas on this page and the server, as bad as one likes: a WebSocket class for providers
// that holds messages back, breaks connections, and waits at a gate while the server is examined.
//
// Within one connection nothing overtakes, as TCP keeps order: what is behind a late message is late, too, and a lost one
// takes everything behind it along. Messages of different connections overtake each other as they like.

export type Toxics = {
  /** How long each message is held, in each direction. */
  readonly latencyMs: number
  /** Up to so much longer, drawn for each message. */
  readonly jitterMs: number
  /** The share of messages that break their connection, 0 to 1. */
  readonly lossShare: number
}

export const cleanLine: Toxics = { latencyMs: 0, jitterMs: 0, lossShare: 0 }

/** What is used of the browser's WebSocket. */
export type RawSocket = {
  binaryType: string
  readonly readyState: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(data: never): void
  close(): void
}

export type RawSocketClass = new (url: string, protocols?: string | string[]) => RawSocket

export type Network = {
  /** A WebSocket class whose messages suffer what `toxics` says at that moment. */
  socketClass(toxics: () => Toxics): typeof WebSocket
  /** From now on no connection is made, and one that was being made is broken as soon as it is there. */
  hold(): void
  release(): void
  /** Connections that are open, being made, or have something on its way. */
  readonly lines: number
  /** Breaks every connection there is. */
  cut(): void
  /** Resolves when no connection is open any more and nothing is on its way. */
  drained(): Promise<void>
}

type Parts = {
  readonly raw: RawSocketClass
  readonly random: () => number
  /** A connection ended that neither a provider nor the toxics had ended: the server is gone, or has closed it. */
  readonly onServerGone: () => void
}

const ready = { connecting: 0, open: 1, closing: 2, closed: 3 } as const
const abnormalClosure = 1006

export function createNetwork({ raw, random, onServerGone }: Parts): Network {
  const lines = new Set<Line>()
  const waiting = new Set<() => void>()
  const drainedListeners = new Set<() => void>()
  let isHeld = false

  const host: Host = {
    raw,
    random,
    isHeld: () => isHeld,
    dialing(line) {
      lines.add(line)
    },
    ended(line) {
      if (!lines.delete(line) || lines.size > 0) return
      for (const listener of drainedListeners) listener()
      drainedListeners.clear()
    },
    whenReleased(dial) {
      if (isHeld) waiting.add(dial)
      else dial()
    },
    serverGone: onServerGone
  }
  return {
    get lines() {
      return lines.size
    },
    socketClass: toxics => {
      const socketClass = class extends Line {
        constructor(url: string, protocols?: string | string[]) {
          super({ url, protocols }, toxics, host)
        }
      }
      // It has what y-websocket and Hocuspocus use of a WebSocket.
      return socketClass as unknown as typeof WebSocket
    },
    hold() {
      isHeld = true
    },
    release() {
      isHeld = false
      const dials = [...waiting]
      waiting.clear()
      for (const dial of dials) dial()
    },
    cut() {
      for (const line of [...lines]) line.break()
    },
    drained: () =>
      lines.size === 0 ? Promise.resolve() : new Promise(resolve => drainedListeners.add(resolve))
  }
}

type Host = {
  readonly raw: RawSocketClass
  readonly random: () => number
  isHeld(): boolean
  dialing(line: Line): void
  ended(line: Line): void
  whenReleased(dial: () => void): void
  serverGone(): void
}

type Address = { readonly url: string; readonly protocols: string | string[] | undefined }

/** One connection. It ends once, whoever ends it. */
class Line extends EventTarget {
  static readonly CONNECTING = ready.connecting
  static readonly OPEN = ready.open
  static readonly CLOSING = ready.closing
  static readonly CLOSED = ready.closed
  readonly CONNECTING = ready.connecting
  readonly OPEN = ready.open
  readonly CLOSING = ready.closing
  readonly CLOSED = ready.closed
  binaryType = 'arraybuffer'
  readonly bufferedAmount = 0
  onopen: ((event: Event) => void) | null = null
  onmessage: ((event: Event) => void) | null = null
  onclose: ((event: Event) => void) | null = null
  onerror: ((event: Event) => void) | null = null
  readonly url: string
  readyState: number = ready.connecting
  readonly #toxics: () => Toxics
  readonly #host: Host
  readonly #outward = new Lane()
  readonly #inward = new Lane()
  #raw: RawSocket | null = null
  /** Whether its end is our own doing. */
  #isEnding = false

  constructor({ url, protocols }: Address, toxics: () => Toxics, host: Host) {
    super()
    this.url = url
    this.#toxics = toxics
    this.#host = host
    host.whenReleased(() => this.#dial(protocols))
  }

  send(data: never): void {
    if (this.readyState !== ready.open) return
    this.#pass(this.#outward, () => {
      // What reaches a dead server is lost without a word.
      if (this.#raw?.readyState === ready.open) this.#raw.send(data)
    })
  }

  /** What was sent before still goes out. */
  close(): void {
    if (this.readyState >= ready.closing) return
    this.readyState = ready.closing
    this.#isEnding = true
    if (this.#raw === null) this.#end(abnormalClosure, '')
    else this.#outward.pass(this.#delayMs(), () => closeQuietly(this.#raw))
  }

  #dial(protocols: Address['protocols']): void {
    if (this.readyState !== ready.connecting) return
    const raw =
      protocols === undefined ? new this.#host.raw(this.url) : new this.#host.raw(this.url, protocols)
    this.#raw = raw
    this.#host.dialing(this)
    raw.binaryType = 'arraybuffer'
    raw.onopen = () => this.#opened(raw)
    raw.onmessage = ({ data }: { data: unknown }) => {
      this.#pass(this.#inward, () => this.#emit('message', { data }))
    }
    raw.onclose = ({ code, reason }: { code: number; reason: string }) => {
      if (!this.#isEnding) this.#host.serverGone()
      // What had arrived before is delivered before.
      this.#inward.pass(this.#delayMs(), () => this.#end(code, reason))
    }
    raw.onerror = () => this.#emit('error', {})
  }

  #opened(raw: RawSocket): void {
    if (this.#isEnding) raw.close()
    else if (this.#host.isHeld()) this.break()
    else
      this.#inward.pass(this.#delayMs(), () => {
        if (this.readyState !== ready.connecting) return
        this.readyState = ready.open
        this.#emit('open', {})
      })
  }

  /** Lets a message through late; or it is the one that is lost, and then nothing gets through behind it. */
  #pass(lane: Lane, deliver: () => void): void {
    const isLost = this.#host.random() < this.#toxics().lossShare
    lane.pass(this.#delayMs(), isLost ? () => this.break() : deliver)
  }

  #delayMs(): number {
    const { latencyMs, jitterMs } = this.#toxics()
    return latencyMs + this.#host.random() * jitterMs
  }

  /** As a network does it: without a word to either side. */
  break(): void {
    if (this.readyState === ready.closed) return
    this.#isEnding = true
    closeQuietly(this.#raw)
    this.#end(abnormalClosure, '')
  }

  #end(code: number, reason: string): void {
    if (this.readyState === ready.closed) return
    this.readyState = ready.closed
    this.#outward.clear()
    this.#inward.clear()
    this.#host.ended(this)
    this.#emit('close', { code, reason, wasClean: code !== abnormalClosure })
  }

  #emit(type: 'open' | 'message' | 'close' | 'error', details: object): void {
    const event = Object.assign(new Event(type), details)
    this[`on${type}`]?.(event)
    this.dispatchEvent(event)
  }
}

/** One that is only being made is closed when it is there: browsers complain about the other. */
function closeQuietly(raw: RawSocket | null): void {
  if (raw !== null && raw.readyState !== ready.connecting) raw.close()
}

/** Deliveries in order, each no earlier than its time. */
class Lane {
  #queue: { readonly dueMs: number; readonly deliver: () => void }[] = []
  #lastDueMs = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  pass(delayMs: number, deliver: () => void): void {
    this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + delayMs)
    this.#queue.push({ dueMs: this.#lastDueMs, deliver })
    if (this.#queue.length === 1) this.#wait()
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#queue = []
  }

  #wait(): void {
    const [first] = this.#queue
    if (first === undefined) return
    this.#timer = setTimeout(() => this.#deliverDue(), first.dueMs - performance.now())
  }

  #deliverDue(): void {
    const queue = this.#queue
    const nowMs = performance.now()
    while (queue === this.#queue && queue[0] !== undefined && queue[0].dueMs <= nowMs)
      queue.shift()?.deliver()
    if (queue === this.#queue) this.#wait()
  }
}
