/**
 * Every expected fault, in one table: its code, the close code a WebSocket client gets, the HTTP status, and the
 * sentence that may be told to a stranger. PROTOCOL.md repeats the table; `test/docs.test.ts` holds the two equal.
 */

/** The bands: 4400–4499 the client must act and y-websocket 3.1 stops retrying; everything else is retried. */
export const faults = {
  ERR_BAD_MESSAGE: { closeCode: 4400, httpStatus: 400, publicReason: 'not a message of this protocol' },
  ERR_NOT_FOUND: { closeCode: 4404, httpStatus: 404, publicReason: 'there is nothing here' },
  ERR_BODY_TOO_LARGE: {
    closeCode: 4413,
    httpStatus: 413,
    publicReason: 'the body of this request is too large'
  },
  ERR_MEDIA_TYPE: { closeCode: 4400, httpStatus: 415, publicReason: 'not a content type that is taken here' },
  ERR_NOT_ACCEPTABLE: {
    closeCode: 4400,
    httpStatus: 406,
    publicReason: 'there is no answer of a type that the header Accept asks for'
  },
  ERR_TOO_OFTEN: { closeCode: 1013, httpStatus: 429, publicReason: 'too much at once; try again later' },
  ERR_EXISTS: { closeCode: 4400, httpStatus: 412, publicReason: 'there is such a document already' },
  ERR_NOT_AUTHENTICATED: { closeCode: 4401, httpStatus: 401, publicReason: 'not authenticated' },
  ERR_EXPIRED: {
    closeCode: 4503,
    httpStatus: 401,
    publicReason: 'the access has expired; come back with a new token'
  },
  ERR_EXPIRED_AGAIN: {
    closeCode: 4401,
    httpStatus: 401,
    publicReason: 'the access has expired, and the same token came again and again'
  },
  ERR_AUTHENTICATION_TIMEOUT: {
    closeCode: 4502,
    httpStatus: 408,
    publicReason: 'not authenticated in time; try again'
  },
  ERR_AUTHENTICATION_UNAVAILABLE: {
    closeCode: 1013,
    httpStatus: 503,
    publicReason: 'who you are cannot be checked now; try again'
  },
  ERR_ORIGIN: { closeCode: 4403, httpStatus: 403, publicReason: 'no access from this page' },
  ERR_FORBIDDEN: { closeCode: 4403, httpStatus: 403, publicReason: 'no access to this document' },
  ERR_NOT_NOW: { closeCode: 4504, httpStatus: 403, publicReason: 'no access now; try again later' },
  ERR_NO_DOCUMENT: { closeCode: 4404, httpStatus: 404, publicReason: 'there is no such document' },
  ERR_DELETED: { closeCode: 4404, httpStatus: 410, publicReason: 'the document was deleted' },
  ERR_OLD_COPY: {
    closeCode: 4410,
    httpStatus: 410,
    publicReason: 'this copy belongs to a document that was deleted'
  },
  ERR_ROOM_NAME: {
    closeCode: 4400,
    httpStatus: 400,
    publicReason: 'no document may have this name; in a URL it is written with encodeURIComponent'
  },
  ERR_ROOM_IN_QUERY: {
    closeCode: 4400,
    httpStatus: 400,
    publicReason:
      'the document name came after the "?" of the URL; put the query into params, not into the server URL'
  },
  ERR_UPDATE_MALFORMED: {
    closeCode: 4500,
    httpStatus: 400,
    publicReason: 'the update could not be read; it was set aside'
  },
  ERR_UPDATE_MALFORMED_AGAIN: {
    closeCode: 4400,
    httpStatus: 400,
    publicReason: 'updates could not be read again; they were set aside'
  },
  ERR_UPDATE_TOO_LARGE: {
    closeCode: 4500,
    httpStatus: 413,
    publicReason: 'the update is too large; it was set aside'
  },
  ERR_UPDATE_TOO_LARGE_AGAIN: {
    closeCode: 4413,
    httpStatus: 413,
    publicReason: 'updates are too large; they were set aside'
  },
  ERR_SLOW_CONSUMER: {
    closeCode: 1013,
    httpStatus: 503,
    publicReason: 'too slow to read; reconnect to catch up'
  },
  ERR_NO_PROGRESS: {
    closeCode: 1013,
    httpStatus: 503,
    publicReason: 'nothing was read for too long; reconnect to go on'
  },
  ERR_MESSAGE_TIMEOUT: {
    closeCode: 1013,
    httpStatus: 408,
    publicReason: 'a message took too long to arrive; reconnect to send it again'
  },
  ERR_OVERLOADED: {
    closeCode: 1013,
    httpStatus: 503,
    publicReason: 'the server is at a limit; try again later'
  },
  ERR_DEADLINE: {
    closeCode: 1013,
    httpStatus: 503,
    publicReason: 'this takes longer than the server allows; try again later'
  },
  ERR_CANCELLED: {
    closeCode: 1013,
    httpStatus: 503,
    publicReason: 'this was given up, as nobody waits for it any more'
  },
  ERR_ANSWER_TOO_LARGE: {
    closeCode: 1013,
    httpStatus: 413,
    publicReason: 'the answer would be too large; ask for less at once'
  },
  ERR_NO_HISTORY: { closeCode: 4404, httpStatus: 404, publicReason: 'no history is kept of this document' },
  ERR_NO_MOMENT: {
    closeCode: 4404,
    httpStatus: 404,
    publicReason: 'the history of this document does not know that moment'
  },
  ERR_NO_VERSION: {
    closeCode: 4404,
    httpStatus: 404,
    publicReason: 'there is no such version of this document'
  },
  ERR_KEY_REUSED: {
    closeCode: 4400,
    httpStatus: 409,
    publicReason: 'this key was given for something else before; use a new one'
  },
  ERR_BAD_EDIT: { closeCode: 4400, httpStatus: 422, publicReason: 'this edit cannot be made' },
  ERR_TOO_MANY_VERSIONS: {
    closeCode: 4400,
    httpStatus: 409,
    publicReason: 'the document has as many named versions as it may have; remove some'
  },
  ERR_STORE: { closeCode: 1013, httpStatus: 503, publicReason: 'the store failed; try again' },
  ERR_LOAD: {
    closeCode: 1013,
    httpStatus: 503,
    publicReason: 'the document could not be loaded; try again'
  },
  ERR_DOCUMENT_DAMAGED: {
    closeCode: 4500,
    httpStatus: 500,
    publicReason: 'the stored document needs an operator'
  },
  ERR_TAKEN_OVER: { closeCode: 4501, httpStatus: 409, publicReason: 'the same client connected again' },
  ERR_DISCONNECTED: {
    closeCode: 4505,
    httpStatus: 503,
    publicReason: 'disconnected by the application; connect again'
  },
  ERR_QUARANTINED: {
    closeCode: 4500,
    httpStatus: 409,
    publicReason: 'an update could not be integrated; it was set aside'
  },
  ERR_ROOM_RESTARTS: { closeCode: 1012, httpStatus: 503, publicReason: 'the room restarts' },
  ERR_GOING_DOWN: { closeCode: 1012, httpStatus: 503, publicReason: 'the server restarts' },
  ERR_INTERNAL: { closeCode: 4500, httpStatus: 500, publicReason: 'internal error' }
} as const

export type FaultCode = keyof typeof faults

type FaultOptions = {
  readonly cause?: unknown
  /** What a client is told in place of the sentence of the table. */
  readonly publicReason?: string
  /** How long who asks over HTTP is to wait before they ask again. */
  readonly retryAfterMs?: number
}

/** A close frame holds at most 123 bytes of reason (RFC 6455, 5.5), and every reason may end in one. */
const reasonBytesMax = 123

/**
 * `require` and `import` in one process give two copies of this module. What the application throws of one is an
 * instance for the other too: by what stands under this symbol, not by whose class it is.
 */
const kindsKey = Symbol.for('y-chorus.fault')

function isInstance(value: unknown, { prototype }: { readonly prototype: object }): boolean {
  if (typeof value !== 'object' || value === null) return false
  // A subclass of the application has no kind of its own.
  if (!Object.hasOwn(prototype, kindsKey)) return Object.prototype.isPrototypeOf.call(prototype, value)
  const kind = kindsOf(prototype).at(-1)
  return kind !== undefined && kindsOf(value).includes(kind)
}

function kindsOf(value: object): readonly unknown[] {
  const kinds = (value as { [kindsKey]?: unknown })[kindsKey]
  return Array.isArray(kinds) ? kinds : []
}

/** Beside the class, so that it is no part of its type. */
function mark(prototype: object, ...kinds: readonly string[]): void {
  Object.defineProperty(prototype, kindsKey, { value: kinds })
}

/**
 * An expected fault. `message` and `cause` are for the log; a client sees only `closeCode` and `publicReason`.
 */
export class Fault extends Error {
  readonly code: FaultCode
  readonly publicReason: string
  readonly retryAfterMs: number

  constructor(code: FaultCode, message?: string, options: FaultOptions = {}) {
    const publicReason = options.publicReason ?? faults[code].publicReason
    super(message ?? publicReason, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'Fault'
    this.code = code
    this.retryAfterMs = options.retryAfterMs ?? 1_000
    this.publicReason = cutToBytes(publicReason, reasonBytesMax)
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: whichever subclass is asked
    return isInstance(value, this)
  }

  get closeCode(): number {
    return faults[this.code].closeCode
  }

  get httpStatus(): number {
    return faults[this.code].httpStatus
  }
}

/** What becomes of a client that was refused: it comes back by itself, or it stays away. */
export type Retry = 'later' | 'never'

/**
 * What `authorize` and `load` throw to refuse with a reason of the application's own. The client is told the reason:
 * the first 123 bytes of its UTF-8. With `later` it comes back by itself, more and more slowly; with `never`, which is
 * the default, clients that heed close codes stay away.
 */
export class Refusal extends Fault {
  constructor(reason: string, { retry = 'never' }: { readonly retry?: Retry } = {}) {
    super(retry === 'later' ? 'ERR_NOT_NOW' : 'ERR_FORBIDDEN', reason, { publicReason: reason })
    this.name = 'Refusal'
  }
}

/** What `load` throws of a name that is no document's: nobody gets in, and clients that heed close codes stay away. */
export class NoSuchDocument extends Fault {
  constructor(reason: string = faults.ERR_NO_DOCUMENT.publicReason) {
    super('ERR_NO_DOCUMENT', reason, { publicReason: reason })
    this.name = 'NoSuchDocument'
  }
}

mark(Fault.prototype, 'Fault')
mark(Refusal.prototype, 'Fault', 'Refusal')
mark(NoSuchDocument.prototype, 'Fault', 'NoSuchDocument')

/** The beginning of a text, no longer than so many bytes of UTF-8, cut between characters. */
function cutToBytes(text: string, bytesMax: number): string {
  // No text has more UTF-16 units than bytes of UTF-8.
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytesMax))
  return text.slice(0, read).toWellFormed()
}

/** Any thrown value as a Fault: what is not one already becomes ERR_INTERNAL with the value as its cause. */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  return new Fault('ERR_INTERNAL', error instanceof Error ? error.message : String(error), { cause: error })
}

/** Whether the fault is about who somebody is or what they may do. */
export function isAboutAccess({ code }: Fault): boolean {
  switch (code) {
    case 'ERR_NOT_AUTHENTICATED':
    case 'ERR_EXPIRED':
    case 'ERR_EXPIRED_AGAIN':
    case 'ERR_NOT_NOW':
    case 'ERR_AUTHENTICATION_TIMEOUT':
    case 'ERR_AUTHENTICATION_UNAVAILABLE':
    case 'ERR_ORIGIN':
    case 'ERR_FORBIDDEN':
      return true
    default:
      return false
  }
}
