/** A new document from JSON: what becomes of each value. */
import type * as Y from 'yjs'
import { Fault } from '../base/errors.ts'
import type { RootKind } from '../document/contents.ts'

type Contents = {
  readonly contents: Readonly<Record<string, unknown>>
  /** What a root type is, where that is not to be told from its value. */
  readonly types: Readonly<Record<string, RootKind>>
}

/**
 * A string, or the delta of one that `types` calls a text, becomes a text; a list an array, an object a map. Lists and
 * objects within become shared types as well, so that several can work on them. Throws ERR_BAD_MESSAGE for other values.
 */
export function fillRoots(doc: Y.Doc, yjs: typeof Y, { contents, types }: Contents): void {
  for (const [name, value] of Object.entries(contents)) {
    const kind = types[name] ?? kindOf(value)
    if (kind === 'text' && typeof value === 'string') doc.getText(name).insert(0, value)
    else if (kind === 'text' && isDelta(value)) doc.getText(name).applyDelta(value)
    else if (kind === 'array' && Array.isArray(value))
      doc.getArray(name).push(value.map(each => shared(yjs, each)))
    else if (kind === 'map' && isObject(value)) fillMap(doc.getMap(name), yjs, value)
    else throw unfit(name)
  }
}

function kindOf(value: unknown): RootKind | null {
  if (typeof value === 'string') return 'text'
  if (Array.isArray(value)) return 'array'
  return isObject(value) ? 'map' : null
}

function fillMap(map: Y.Map<unknown>, yjs: typeof Y, value: Readonly<Record<string, unknown>>): void {
  for (const [key, each] of Object.entries(value)) map.set(key, shared(yjs, each))
}

function shared(yjs: typeof Y, value: unknown): unknown {
  if (Array.isArray(value)) return yjs.Array.from(value.map(each => shared(yjs, each)) as never[])
  if (!isObject(value)) return value
  const map = new yjs.Map()
  fillMap(map, yjs, value)
  return map
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isDelta(value: unknown): value is { insert: string }[] {
  return Array.isArray(value) && value.every(each => isObject(each) && typeof each.insert === 'string')
}

function unfit(name: string): Fault {
  const publicReason = `${name.slice(0, 30)}: a text is a string or a delta, an array a list, a map an object`
  return new Fault('ERR_BAD_MESSAGE', publicReason, { publicReason })
}
