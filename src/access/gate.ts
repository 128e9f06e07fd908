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
  /** The server's own end of the socket. A question to the system, whose answer stays with the socket. */
  readonly localAddress: () => string
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
    if (authentication === 'loopback') {
      const header = (name: string) => headers[name]
      if (!isLoopback(localAddress()) || isFromElsewhere(header)) return 'not-loopback'
    }
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

/**
 * Whether a request that arrives on this machine was made elsewhere. A proxy on this machine carries strangers' requests
 * here; most say so. A foreign name that leads to this machine (DNS rebinding) shows in Host.
 */
export function isFromElsewhere(header: (name: string) => unknown): boolean {
  const isForwarded = forwardedHeaders.some(name => header(name) !== undefined)
  const host = header('host')
  return isForwarded || (typeof host === 'string' && !isLoopback(host.replace(/:\d+$/, '')))
}

const forwardedHeaders = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'forwarded',
  'via'
]

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

/** Why a server that asks nobody must not listen there, and what to do. */
export function openToAll(host: string): string {
  return (
    `${host} can be reached from elsewhere, and nobody would be asked who they are: choose how people sign in ` +
    '(authorize, or --auth jwt or webhook), or name "none" for a server that is open to everybody'
  )
}
