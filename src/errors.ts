/**
 * Every expected fault, in one table: its code, the close code a WebSocket client gets, the HTTP status, and the
 * sentence that may be told to a stranger. PROTOCOL.md repeats the table; `docs.test.ts` holds the two equal.
 */

/** The bands: 4400–4499 the client must act and y-websocket 3.1 stops retrying; everything else is retried. */
export const faults = {
  ERR_BAD_MESSAGE: { closeCode: 4400, httpStatus: 400, publicReason: 'not a message of this protocol' },
  ERR_NOT_AUTHENTICATED: { closeCode: 4401, httpStatus: 401, publicReason: 'not authenticated' },
  ERR_EXPIRED: { closeCode: 4401, httpStatus: 401, publicReason: 'the access has expired' },
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
  ERR_DELETED: { closeCode: 4404, httpStatus: 404, publicReason: 'the document was deleted' },
  ERR_ROOM_NAME: { closeCode: 4400, httpStatus: 400, publicReason: 'not a valid document name' },
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
  ERR_OVERLOADED: {
    closeCode: 1013,
    httpStatus: 503,
    publicReason: 'the server is at a limit; try again later'
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

/**
 * An expected fault. `message` and `cause` are for the log; a client sees only `closeCode` and `publicReason`.
 */
export class Fault extends Error {
  readonly code: FaultCode

  constructor(code: FaultCode, message?: string, options?: { cause?: unknown }) {
    super(message ?? faults[code].publicReason, options)
    this.name = 'Fault'
    this.code = code
  }

  get closeCode(): number {
    return faults[this.code].closeCode
  }

  get httpStatus(): number {
    return faults[this.code].httpStatus
  }

  get publicReason(): string {
    return faults[this.code].publicReason
  }
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
    case 'ERR_AUTHENTICATION_TIMEOUT':
    case 'ERR_AUTHENTICATION_UNAVAILABLE':
    case 'ERR_ORIGIN':
    case 'ERR_FORBIDDEN':
      return true
    default:
      return false
  }
}
