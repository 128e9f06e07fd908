/**
 * Where a token may stand in an upgrade request. A page in a browser can choose the URL and the subprotocol, a program
 * the Authorization header; a cookie comes by itself, whoever made the page connect, and so counts only for pages of
 * the server's own origin or of one that was allowed by name (see `Gate`).
 */
import type { IncomingHttpHeaders } from 'node:http'

/** `new WebSocket(url, ['chorus', 'chorus.token.<token>'])`: the first is what the server answers with. */
const protocolPrefix = 'chorus.token.'

type Carried = { readonly headers: IncomingHttpHeaders; readonly url: string }

/** The token of the URL, the subprotocol, the Authorization header or the cookie, the first that is there; or null. */
export function carriedToken({ headers, url }: Carried, cookie: string | null): string | null {
  const found =
    ofQuery(url) ??
    ofProtocols(headers['sec-websocket-protocol']) ??
    ofAuthorization(headers.authorization) ??
    (cookie === null ? null : ofCookies(headers.cookie, cookie))
  return found
}

/** What the server answers an offer of subprotocols with: browsers want one of them; never one that is a token. */
export function chosenProtocol(offered: ReadonlySet<string>): string | false {
  for (const protocol of offered) if (!protocol.startsWith(protocolPrefix)) return protocol
  return false
}

/** A text without anything that might be a token of the request: what a function throws may quote it. */
export function withoutSecrets(text: string, { headers, url }: Carried, token: string | null): string {
  const query = url.indexOf('?')
  const secrets = [
    token,
    token === null ? null : encodeURIComponent(token),
    query === -1 ? null : url.slice(query + 1),
    headers.authorization,
    headers.cookie,
    headers['sec-websocket-protocol'],
    ofQuery(url),
    ofAuthorization(headers.authorization)
  ]
  return secrets.reduce<string>(
    (clean, secret) => (secret == null || secret === '' ? clean : clean.replaceAll(secret, '[token]')),
    text
  )
}

/** A text without where its client is, as proxies say it too. */
export function withoutAddress(
  text: string,
  { address, headers }: { readonly address: string; readonly headers: IncomingHttpHeaders }
): string {
  // A header may hold anything, and must not empty a text of a letter.
  const isAddress = (place: string) => place.length >= shortestAddress.length && /[.:]/.test(place)
  return [headers['x-forwarded-for'] ?? [], address]
    .flat()
    .filter(isAddress)
    .reduce((clean, place) => clean.replaceAll(place, '[address]'), text)
}

const shortestAddress = '::1'

/** The query of a URL without `?`, and without the token if it carries one; empty when nothing is left. */
export function queryWithoutToken(url: string): string {
  const start = url.indexOf('?')
  if (start === -1) return ''
  const query = new URLSearchParams(url.slice(start))
  query.delete('token')
  return query.toString()
}

/** `?token=`, as y-websocket's `params` writes it. */
function ofQuery(url: string): string | null {
  const query = url.indexOf('?')
  return query === -1 ? null : new URLSearchParams(url.slice(query)).get('token')
}

function ofProtocols(header: string | undefined): string | null {
  const protocols = header?.split(',').map(each => each.trim()) ?? []
  const found = protocols.find(each => each.startsWith(protocolPrefix))
  return found === undefined ? null : found.slice(protocolPrefix.length)
}

/** RFC 6750, 2.1. */
function ofAuthorization(header: string | undefined): string | null {
  const match = /^bearer +(\S+) *$/i.exec(header ?? '')
  return match?.[1] ?? null
}

function ofCookies(header: string | undefined, name: string): string | null {
  for (const pair of header?.split(';') ?? []) {
    const equals = pair.indexOf('=')
    if (equals === -1 || pair.slice(0, equals).trim() !== name) continue
    const value = pair.slice(equals + 1).trim()
    return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value
  }
  return null
}
