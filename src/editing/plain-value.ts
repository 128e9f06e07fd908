/** Values that are no shared types: what stands at the end of a way into one, and the whole with something else there. */
import { indexOf } from './pointer.ts'

export type PlainChange = { readonly op: 'add' | 'replace' | 'remove'; readonly value?: unknown }

/** Undefined: nothing is there. */
export function plainAt(value: unknown, way: readonly string[]): unknown {
  let found = value
  for (const key of way) found = childOf(found, key)
  return found
}

/** A copy of the value, changed at the end of the way; undefined: there is no such place. */
export function changedPlain(value: unknown, way: readonly string[], change: PlainChange): unknown {
  const copy: unknown = structuredClone(value)
  const holder = plainAt(copy, way.slice(0, -1))
  const key = way.at(-1) ?? ''
  const isDone = Array.isArray(holder) ? changeList(holder, key, change) : changeObject(holder, key, change)
  return isDone ? copy : undefined
}

function childOf(value: unknown, key: string): unknown {
  if (Array.isArray(value)) {
    const index = indexOf(key)
    return index === null ? undefined : value[index]
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Record<string, unknown>)[key]
}

function changeList(list: unknown[], key: string, { op, value }: PlainChange): boolean {
  const index = key === '-' && op === 'add' ? list.length : indexOf(key)
  if (index === null || index > list.length || (index === list.length && op !== 'add')) return false
  if (op === 'add') list.splice(index, 0, value)
  else if (op === 'remove') list.splice(index, 1)
  else list[index] = value
  return true
}

function changeObject(holder: unknown, key: string, { op, value }: PlainChange): boolean {
  if (typeof holder !== 'object' || holder === null) return false
  if (op !== 'add' && !Object.hasOwn(holder, key)) return false
  if (op === 'remove') delete (holder as Record<string, unknown>)[key]
  // Also for the key `__proto__`, which an assignment would not set.
  else Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true })
  return true
}
