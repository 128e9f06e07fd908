/**
 * The contract between nodes and whatever carries messages between them. A bus only makes things fast: it may lose,
 * repeat and reorder messages, be late, or be away, and what is true stands in the store. Topics are names and values are
 * opaque bytes to it. It imports nothing from the server. `conformance.ts` pins the behaviour.
 */

/** The bytes are the bus's: to be read during the call. Whoever keeps some of them copies them. */
export type OnMessage = (bytes: Uint8Array) => void

/** May be called again; then it does nothing. */
export type Unsubscribe = () => void

/**
 * What a bus knows of its broker. `connected`: every subscription is with the broker. `reason`: a code or a few words, never
 * an address or a credential.
 */
export type BusStatus = { readonly state: 'connected' } | { readonly state: 'away'; readonly reason: string }

/** Since the bus was opened. `queued…` are of this moment: taken, and not known to have left this process. */
export type BusCounts = {
  readonly published: number
  readonly received: number
  /** Not taken, as the broker was away. */
  readonly droppedAway: number
  /** Not taken, as too much was queued. */
  readonly droppedFull: number
  /** Not taken, as it was longer than `messageBytesMax`. */
  readonly droppedLarge: number
  readonly queuedMessages: number
  readonly queuedBytes: number
}

export type Bus = {
  /**
   * Best effort, at once: it never waits, and never throws because the broker is away or slow. True: it was taken, which
   * promises nothing. False: it was dropped, and counted. The caller does not write into `bytes` afterwards.
   */
  publish(topic: string, bytes: Uint8Array): boolean
  /**
   * Messages of the topic from now on, those of this bus included. It holds over every absence of the broker. `onMessage`
   * is never called from within `publish` or `subscribe`. One that throws is reported.
   */
  subscribe(topic: string, onMessage: OnMessage): Unsubscribe
  status(): BusStatus
  /** Each change of the status from now on. */
  watch(onStatus: (status: BusStatus) => void): Unsubscribe
  counts(): BusCounts
  /** What was taken may still leave, within `closeMs`. Then nothing is called any more, and nothing is taken. */
  close(): Promise<void>
}

/** What a bus tells its operator. The object it goes to must not throw. */
export type BusReport =
  | { readonly type: 'subscriber-failed'; readonly error: unknown }
  /** The broker does not allow something: its settings are wrong. */
  | { readonly type: 'refused'; readonly reason: string }

export type BusOptions = {
  readonly onReport?: (report: BusReport) => void
  /** How the connection is called in the broker's own lists. */
  readonly name?: string
}

export const busErrorCodes = {
  /** The caller broke the contract, or the address is none. */
  BUS_ARGUMENT: 'BUS_ARGUMENT',
  /** The package that speaks to this broker is not installed. */
  BUS_CLIENT_MISSING: 'BUS_CLIENT_MISSING'
} as const

export type BusErrorCode = keyof typeof busErrorCodes

/** The only error a bus throws or rejects with. `message` is fit for an operator: it holds no credentials. */
export class BusError extends Error {
  readonly code: BusErrorCode

  constructor(code: BusErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'BusError'
    this.code = code
  }
}
