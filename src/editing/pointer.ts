/** Where a JSON Pointer (RFC 6901) leads in a document: the first part names a root type. */
import * as Y from 'yjs'
import { wrong } from './edit-result.ts'
import { rootKind } from './parts.ts'

export type Container = Y.Map<unknown> | Y.Array<unknown>

/**
 * `within`: the shared type that holds the value, and the key or index there; `rest`: the way on into a plain value that
 * stands there, which can only be replaced as a whole.
 */
export type Target = { readonly within: Container; readonly key: string; readonly rest: readonly string[] }

export function partsOf(change: number, pointer: string): string[] {
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) {
    wrong(change, 'a path begins with "/" and the name of a root type')
  }
  return pointer
    .slice(1)
    .split('/')
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** Ends the edit where the way ends earlier. */
export function targetOf(doc: Y.Doc, change: number, pointer: string): Target {
  const [root = '', ...parts] = partsOf(change, pointer)
  if (parts.length === 0) return wrong(change, 'a root type itself cannot be changed: name something in it')
  let within = rootOf(doc, change, { root, next: parts[0] ?? '' })
  for (const [i, key] of parts.entries()) {
    const rest = parts.slice(i + 1)
    if (rest.length === 0) return { within, key, rest }
    const value = valueAt(within, key)
    if (value instanceof Y.AbstractType) {
      if (!isContainer(value)) return wrong(change, 'this leads into a text: use an edit of the text')
      within = value
    } else if (value === undefined) return wrong(change, `nothing is at "${key}"`)
    else return { within, key, rest }
  }
  return wrong(change, 'there is nothing at this path')
}

function rootOf(doc: Y.Doc, change: number, { root, next }: { root: string; next: string }): Container {
  switch (rootKind(doc, root)) {
    case 'map':
      return doc.getMap(root)
    case 'array':
      return doc.getArray(root)
    case null:
      // Nothing says what it is: a list has numbers.
      return next === '-' || next === '0' ? doc.getArray(root) : doc.getMap(root)
    default:
      return wrong(change, `"${root}" is a text: use an edit of the text`)
  }
}

export function isContainer(value: unknown): value is Container {
  return value instanceof Y.Map || value instanceof Y.Array
}

/** What stands there; undefined: nothing. */
export function valueAt(within: Container, key: string): unknown {
  if (within instanceof Y.Map) return within.get(key)
  const index = indexOf(key)
  return index === null ? undefined : within.get(index)
}

/** Null: it is no index as RFC 6901 writes them. */
export function indexOf(key: string): number | null {
  return /^(0|[1-9]\d{0,15})$/.test(key) ? Number(key) : null
}

/** The item of a list that has the index; null: it is behind the last one. */
export function itemOfIndex(list: Y.Array<unknown>, index: number): Y.ID | null {
  let left = index
  for (let item = list._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue
    if (left < item.length) return Y.createID(item.id.client, item.id.clock + left)
    left -= item.length
  }
  return null
}
