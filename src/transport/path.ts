/** The document's name in a URL: the whole path after the prefix, percent-decoded once. No query. */

/** Empty when the path is the prefix itself, or outside of it. */
export function documentOfPath(url: string, prefix: string): string {
  const path = pathOf(url)
  const start = prefix === '/' ? 1 : prefix.length + 1
  return isUnder(path, prefix) ? decoded(path.slice(start)) : ''
}

/**
 * Clients put names into URLs as they are: `50% off` arrives as `50%%20off`. What is no escape stands for itself, so that
 * it is the document that the same name with `encodeURIComponent` opens.
 */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path.replaceAll(/(?:%[0-9a-f]{2})+/gi, decodedOrAsIs)
  }
}

function decodedOrAsIs(escapes: string): string {
  try {
    return decodeURIComponent(escapes)
  } catch {
    // Bytes that are no UTF-8: the name is what stands there.
    return escapes
  }
}

/** Whether the URL's path is empty and its query has a slash, as when `/name` was put after `?v=1`. */
export function isNameInQuery(url: string, prefix: string): boolean {
  return isRoot(url, prefix) && url.slice(pathOf(url).length).includes('/')
}

/** How a path is written below which a server serves: `/`, or with a `/` at its beginning and none at its end. */
export const prefixForm = /^\/([^?#\s]*[^/?#\s])?$/

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
