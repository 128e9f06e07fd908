/**
 * Who may ask at all: which pages may connect, and, where nobody is asked who they are, from where. It looks at the
 * upgrade request alone.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Visitor } from './grant.ts'

export type GateOptions = {
  /**
   * `loopback`: nobody is asked who they are, and so only what is on this machine may come. `none`: nobody is asked,
   * by choice. `asked`: each attempt is looked at.
   */
  readonly authentication: 'loopback' | 'none' | 'asked'
  /** Origins whose pages may connect, as browsers write them: `https://example.org`. Null: any. */
  readonly origins: readonly string[] | null
}

type Arrival = {
  readonly headers: IncomingHttpHeaders
  /** The server's own end of the socket. */
  readonly localAddress: string
}

export class Gate {
  readonly #options: GateOptions

  constructor(options: GateOptions) {
    this.#options = options
  }

  /** Why nothing of this request may be granted, or null. */
  bars({ headers, localAddress }: Arrival): Visitor['barred'] {
    const { authentication, origins } = this.#options
    const { origin } = headers
    if (authentication === 'loopback' && !isLoopback(localAddress)) return 'not-loopback'
    // Only browsers say where a page comes from, and a page cannot keep them from it.
    if (origin === undefined) return null
    if (origins !== null) return origins.includes(origin) ? null : 'origin'
    // Any page in the world can make this machine's browser connect to it, also under a name of its own (rebinding).
    if (authentication === 'loopback') return isLoopback(urlOf(origin)?.hostname ?? '') ? null : 'origin'
    return null
  }

  /** Whether a cookie of this request was sent by a page that may speak for the user: see `carriers.ts`. */
  trustsCookies(headers: IncomingHttpHeaders): boolean {
    const { origin, host } = headers
    if (origin === undefined) return true
    if (this.#options.origins !== null) return this.#options.origins.includes(origin)
    return isOwnOrigin(origin, host)
  }
}

/** Whether an address, or the name of a host, is this machine itself. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  const address = plain.startsWith('::ffff:') ? plain.slice(7) : plain
  return address === 'localhost' || address === '::1' || /^127(\.\d{1,3}){3}$/.test(address)
}

/** Whether a page of this origin came from the host that it asks now, under the same name and port. */
export function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  return host !== undefined && urlOf(origin)?.host === host.toLowerCase()
}

function urlOf(origin: string | undefined): URL | null {
  try {
    return new URL(origin ?? '')
  } catch {
    // `null`, of sandboxed pages and files, or none at all: nobody we know.
    return null
  }
}
