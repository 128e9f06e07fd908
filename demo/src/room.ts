// Which room this page shows, and where: the name is in the URL's fragment, the server is where the page came from.

export type RoomAddress = {
  /** The room's name as people read it. */
  readonly name: string
  /** The y-websocket server URL, without the room. */
  readonly serverUrl: string
  /** The room as y-websocket wants it: one percent-encoded path segment. */
  readonly path: string
  /** Opens the same room on another device. */
  readonly shareUrl: string
  /** What the providers use in place of the browser's WebSocket. */
  readonly socketClass?: typeof WebSocket
}

/** Rooms that the gallery makes up begin with this; only those are given something to begin with. */
export const inventedPrefix = 'demo-'

/** Reads the room from the address bar, or invents one and puts it there. */
export function roomFromLocation(): RoomAddress {
  const given = decodeFragment(location.hash.slice(1))
  const isInvented = given === ''
  const name = isInvented ? `${inventedPrefix}${randomSuffix()}` : given
  const path = encodeURIComponent(name)
  if (isInvented) history.replaceState(null, '', `#${path}`)
  window.addEventListener('hashchange', () => location.reload())
  return { name, serverUrl: serverUrl(), path, shareUrl: shareUrl(path) }
}

/** The other pages show the same room, each its own part of the document. */
export function carryRoom({ path }: RoomAddress): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>('a[data-carries-room]')) link.hash = path
}

/** Tells whether another device cannot reach the address this page was opened under. */
export function isLoopback(): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname)
}

/** The server may be mounted under a path: the page's folder is that path, and rooms live below it. */
function serverUrl(): string {
  const folder = new URL('.', location.href)
  folder.protocol = folder.protocol === 'https:' ? 'wss:' : 'ws:'
  return folder.href.replace(/\/$/, '')
}

function shareUrl(path: string): string {
  const url = new URL(location.href)
  url.hash = path
  return url.href
}

function decodeFragment(fragment: string): string {
  try {
    return decodeURIComponent(fragment)
  } catch {
    // Typed by hand with a stray percent sign: take it as it stands.
    return fragment
  }
}

/** Seven characters without look-alikes. `crypto.randomUUID` is missing on plain http in a local network. */
function randomSuffix(): string {
  const alphabet = '23456789abcdefghjkmnpqrstuvwxyz'
  const bytes = crypto.getRandomValues(new Uint8Array(7))
  return Array.from(bytes, byte => alphabet.charAt(byte % alphabet.length)).join('')
}
