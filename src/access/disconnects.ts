/**
 * Connections that end because the application says so: now, and they may come back. Told to the other servers over the
 * bus and nowhere else: found later, it would close those who have come back since.
 */
import { checkOptions, text } from '../base/check.ts'
import { Fault } from '../base/errors.ts'

/** Whose connections: at least one of the three, and all that are named must fit. */
export type Disconnection = {
  /** The id of a user. */
  readonly user?: string
  /** The name of a document. */
  readonly document?: string
  /** The name of a connection, as in logs and in the authors of updates. */
  readonly connection?: string
  /** Told to the client: the first 123 bytes of its UTF-8. */
  readonly reason?: string
}

/** Every option of `server.disconnect`, and what it may be. */
export const disconnectionShape = {
  user: text('the id of a user', /./),
  document: text('the name of a document', /./),
  connection: text('the name of a connection', /./),
  reason: text()
}

/** How many connections to a document end, on the server that was called. */
export type Disconnected = { readonly ended: number }

/** Who has a document open: the id of a user, or null, and the name of the connection. */
export type Present = { readonly user: string | null; readonly connection: string }

/** `document`: null for all that are open. Returns how many of those who have them open end. */
type Ends = (document: string | null, isMeant: (present: Present) => boolean, fault: Fault) => number

export class Disconnects {
  readonly #end: Ends
  /** Null: there are no other servers to be told. */
  #tell: ((disconnection: Disconnection) => void) | null = null

  constructor({ end }: { readonly end: Ends }) {
    this.#end = end
  }

  /** Throws a TypeError when nobody is named: that is a mistake, and not everybody. */
  disconnect(disconnection: Disconnection): Disconnected {
    checkOptions('server.disconnect', disconnection, disconnectionShape)
    const { user, document, connection } = disconnection
    if (user === undefined && document === undefined && connection === undefined) {
      throw new TypeError('server.disconnect: whose connections? name a user, a document or a connection')
    }
    this.#tell?.(disconnection)
    return this.heard(disconnection)
  }

  /** Other servers are told of what is asked for here. */
  shareWith(tell: (disconnection: Disconnection) => void): void {
    this.#tell = tell
  }

  /** Another server was asked for it. */
  heard({ user, document, connection, reason }: Disconnection): Disconnected {
    const said = reason === undefined ? {} : { publicReason: reason }
    const fault = new Fault('ERR_DISCONNECTED', reason, said)
    const isMeant = (present: Present) =>
      (user === undefined || present.user === user) &&
      (connection === undefined || present.connection === connection)
    return { ended: this.#end(document ?? null, isMeant, fault) }
  }
}
