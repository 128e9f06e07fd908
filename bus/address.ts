/**
 * Addresses of brokers: URLs, with several hosts where a broker has them. What goes wrong is said without the address, as it
 * may hold a password.
 */
import { BusError } from './bus.ts'

export type Host = { readonly host: string; readonly port: number }

export type Address = {
  /** Lower case, without its colon. */
  readonly scheme: string
  readonly user: string | null
  readonly password: string | null
  /** At least one. */
  readonly hosts: readonly Host[]
  /** What follows the hosts, without its slash; null: there is no slash. */
  readonly path: string | null
  readonly parameters: ReadonlyMap<string, string>
}

const form = /^([a-z][a-z0-9+.-]*):\/\/(?:([^@/?#]*)@)?([^/?#@]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/i
const hostForm = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i

/** Throws BUS_ARGUMENT for what is no address. `defaultPort` is for hosts that name none. */
export function parseAddress(text: string, defaultPort: number): Address {
  const [, scheme = '', credentials, hosts = '', path, query = ''] = form.exec(text) ?? []
  if (scheme === '') throw wrong('it does not look like scheme://host:port')
  const [user = null, password = null] = credentials === undefined ? [] : split(credentials, ':').map(decoded)
  return {
    scheme: scheme.toLowerCase(),
    user: user === '' ? null : user,
    password,
    hosts: hosts.split(',').map(each => parseHost(each, defaultPort)),
    path: path === undefined ? null : decoded(path),
    parameters: new Map(new URLSearchParams(query))
  }
}

/** Throws for a parameter that is not known, with the names of those that are. */
export function checkParameters({ parameters }: Address, known: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (known.includes(name)) continue
    const others = known.length === 0 ? 'there are none' : `there is ${known.join(', ')}`
    throw wrong(`it has no parameter ${JSON.stringify(name.slice(0, 40))}; ${others}`)
  }
}

export function wrong(why: string): BusError {
  return new BusError('BUS_ARGUMENT', `The address of the bus is wrong: ${why}.`)
}

function parseHost(text: string, defaultPort: number): Host {
  const [, host, port] = hostForm.exec(text) ?? []
  const number = port === undefined ? defaultPort : Number(port)
  if (host === undefined || number < 1 || number > 65_535) throw wrong('a host is name or name:port')
  return { host: host.replace(/^\[|\]$/g, ''), port: number }
}

function split(text: string, separator: string): string[] {
  const at = text.indexOf(separator)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // The cause would repeat the text, which may be a password.
    throw wrong('a % in it is not followed by two hexadecimal digits')
  }
}
