/** The document's name in a URL: the whole path after the prefix, percent-decoded once. No query. */

/** `document` is null when the path names none: it is empty, outside the prefix, or not decodable. */
export function documentOfPath(url: string, prefix: string): { readonly document: string | null } {
  const path = pathOf(url)
  const start = prefix === '/' ? 1 : prefix.length + 1
  if (!isUnder(path, prefix)) return { document: null }
  try {
    const document = decodeURIComponent(path.slice(start))
    return { document: document === '' ? null : document }
  } catch {
    // decodeURIComponent throws URIError only; which escape was wrong helps nobody.
    return { document: null }
  }
}

/** How a path is written below which a server serves: `/`, or with a `/` at its beginning and none at its end. */
export const prefixForm = /^\/([^?#\s]*[^/?#\s])?$/

/** Throws TypeError: what is written otherwise would be served nowhere. */
export function checkPrefix(path: string): void {
  if (!prefixForm.test(path))
    throw new TypeError(`path must begin with / and not end with one, not "${path}"`)
}

/** Whether the path is the prefix or below it. `/` is the prefix of everything. */
export function isUnder(path: string, prefix: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`)
}

/** Whether the URL's path is the prefix itself: it names no room, and Hocuspocus clients name theirs in each frame. */
export function isRoot(url: string, prefix: string): boolean {
  const path = pathOf(url)
  return path === prefix || path === `${prefix}/`
}

/** A request target without its query. */
export function pathOf(url: string): string {
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}
