/**
 * JSON Patch (RFC 6902) on shared maps and lists. Libraries of it change plain objects; here each operation becomes an edit
 * of the shared type that holds the place, so that what others do beside it stays.
 */
import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import { EditEnds, stale, wrong } from './edit-result.ts'
import type { Guarding } from './guarding.ts'
import type { DataChange, EditStep } from './jobs.ts'
import { changedPlain, type PlainChange, plainAt } from './plain-value.ts'
import {
  type Container,
  indexOf,
  isContainer,
  itemOfIndex,
  partsOf,
  type Target,
  targetOf,
  valueAt
} from './pointer.ts'
import type { State } from './state.ts'

/** At most one step. Nothing is done if one of them cannot be. Throws `EditEnds`, and what Yjs throws. */
export function dataSteps(state: State, changes: readonly DataChange[], guarding: Guarding): EditStep[] {
  const updates: Uint8Array[] = []
  state.doc.on('update', (update: Uint8Array) => updates.push(update))
  const patch = new Patch(state, guarding)
  state.doc.transact(() => {
    for (const [at, change] of changes.entries()) patch.apply(at, change)
  })
  return updates.map(update => ({ update, cursor: null, last: null }))
}

class Patch {
  readonly #state: State
  readonly #guarding: Guarding

  constructor(state: State, guarding: Guarding) {
    this.#state = state
    this.#guarding = guarding
  }

  apply(at: number, change: DataChange): void {
    const { op, path } = change
    switch (op) {
      case 'add':
      case 'replace':
        return this.#set(at, { op, path, value: change.value })
      case 'remove':
        return this.#set(at, { op, path })
      case 'test':
        return this.#test(at, change)
      case 'copy':
        return this.#set(at, { op: 'add', path, value: this.#valueAt(at, change.from ?? '') })
      case 'move':
        return this.#move(at, change)
      default:
        return op satisfies never
    }
  }

  #move(at: number, { path, from = '' }: DataChange): void {
    if (path === from) return
    if (path.startsWith(`${from}/`)) wrong(at, 'nothing can be moved into itself')
    const value = this.#valueAt(at, from)
    this.#set(at, { op: 'remove', path: from })
    this.#set(at, { op: 'add', path, value })
  }

  #test(at: number, { path, value }: DataChange): void {
    const found = this.#valueAt(at, path)
    if (isDeepStrictEqual(found, value)) return
    stale({ change: at, passage: found, by: [] })
  }

  /** As plain JSON; of a whole root type as well. */
  #valueAt(at: number, path: string): unknown {
    const { doc } = this.#state
    const parts = partsOf(at, path)
    if (parts.length === 1) {
      // Read through a way into it, which says what it is.
      const within = targetOf(doc, at, `${path}/-`).within
      return within.toJSON()
    }
    const { within, key, rest } = targetOf(doc, at, path)
    this.#guardPlace(at, { within, key, rest })
    const value = plainAt(plain(valueAt(within, key)), rest)
    return value === undefined ? wrong(at, `nothing is at "${path}"`) : value
  }

  #set(at: number, change: PlainChange & { readonly path: string }): void {
    const target = targetOf(this.#state.doc, at, change.path)
    this.#guardPlace(at, target)
    const { within, key, rest } = target
    if (rest.length > 0) {
      const whole = changedPlain(valueAt(within, key), rest, change)
      if (whole === undefined) return wrong(at, `nothing is at "${change.path}"`)
      return this.#put(at, { op: 'replace', value: whole }, target)
    }
    return this.#put(at, change, target)
  }

  #put(at: number, { op, value }: PlainChange, { within, key }: Target): void {
    if (within instanceof Y.Map) return this.#putInMap(at, { op, value }, { within, key })
    const { length } = within
    const index = key === '-' && op === 'add' ? length : indexOf(key)
    if (index === null) return wrong(at, `"${key}" is no index of a list`)
    if (index > length || (index === length && op !== 'add'))
      return wrong(at, `the list has ${length} entries`)
    const before = within.get(index)
    if (op !== 'add') within.delete(index, 1)
    if (op !== 'remove') within.insert(index, [shared(value, op === 'replace' ? before : null)])
  }

  #putInMap(
    at: number,
    { op, value }: PlainChange,
    { within, key }: { readonly within: Y.Map<unknown>; readonly key: string }
  ): void {
    const before = within.get(key)
    if (op !== 'add' && !within.has(key)) return wrong(at, `nothing is at "${key}"`)
    if (op === 'remove') within.delete(key)
    else within.set(key, shared(value, before))
  }

  /** Ends the edit where others have changed the place since it was seen. */
  #guardPlace(at: number, target: Target): void {
    const { within, key } = target
    this.#guarding.keepType(within)
    if (within instanceof Y.Map) this.#guardEntry(at, within, key)
    else this.#guardIndex(at, within, key)
  }

  #guardEntry(at: number, within: Y.Map<unknown>, key: string): void {
    const item = within._map.get(key)
    if (item === undefined) return this.#guarding.keepEmpty()
    const last = Y.createID(item.id.client, item.id.clock + item.length - 1)
    this.#guarding.keep(last)
    this.#guarding.closeAfter(last)
    this.#refuse(at, within, key, [last])
    this.#guardInside(at, { within, key }, item)
  }

  /** What lies in the value belongs to it. */
  #guardInside(at: number, place: { readonly within: Container; readonly key: string }, item: Y.Item): void {
    if (!(item.content instanceof Y.ContentType)) return
    const ids = [...itemsIn(item.content.type)].flatMap(({ id, length }) =>
      Array.from({ length }, (_, i) => Y.createID(id.client, id.clock + i))
    )
    if (ids.length === 0) this.#guarding.keepEmpty()
    for (const id of ids) {
      this.#guarding.keep(id)
      this.#guarding.closeAfter(id)
      this.#guarding.closeBefore(id)
    }
    this.#refuse(at, place.within, place.key, ids)
  }

  #guardIndex(at: number, within: Y.Array<unknown>, key: string): void {
    if (key === '-') return
    const index = indexOf(key)
    if (index === null) return wrong(at, `"${key}" is no index of a list`)
    if (this.#state.isLost) stale({ change: at, passage: within.toJSON(), by: [] })
    const here = itemOfIndex(within, index)
    const left = index === 0 ? null : itemOfIndex(within, index - 1)
    if (here === null && left === null) this.#guarding.keepEmpty()
    for (const id of [left, here]) {
      if (id === null) continue
      this.#guarding.keep(id)
    }
    if (left !== null) this.#guarding.closeAfter(left)
    if (here !== null) this.#guarding.closeBefore(here)
    // An index of then is one of now only if nothing came or went in the list.
    this.#refuseMoved(at, within)
    const item = here === null ? null : Y.getItem(this.#state.doc.store, here)
    if (item instanceof Y.Item) this.#guardInside(at, { within, key }, item)
  }

  #refuseMoved(at: number, within: Y.Array<unknown>): void {
    if (!this.#state.hasSince) return
    const ids: Y.ID[] = []
    for (let item = within._start; item !== null; item = item.right) {
      for (let i = 0; i < item.length; i++) ids.push(Y.createID(item.id.client, item.id.clock + i))
    }
    this.#refuse(at, within, null, ids)
  }

  #refuse(at: number, within: Container, key: string | null, ids: readonly Y.ID[]): void {
    const by = this.#state.hasSince ? this.#state.by(ids) : []
    if (by.length === 0 && !this.#state.isLost) return
    const passage = key === null ? within.toJSON() : plain(valueAt(within, key))
    throw new EditEnds({ outcome: 'stale', change: at, passage: passage ?? null, by })
  }
}

function* itemsIn(type: Y.AbstractType<unknown>): Generator<Y.Item> {
  const heads = [type._start, ...type._map.values()]
  for (const head of heads) {
    for (let item = head; item !== null; item = item.right) {
      yield item
      if (item.content instanceof Y.ContentType) yield* itemsIn(item.content.type)
    }
  }
}

function plain(value: unknown): unknown {
  return value instanceof Y.AbstractType ? value.toJSON() : value
}

/** A plain value, unless a shared one stood there: that stays one, of the new contents. */
function shared(value: unknown, before: unknown): unknown {
  if (!isContainer(before)) return value
  if (before instanceof Y.Array && Array.isArray(value)) return Y.Array.from(value)
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (before instanceof Y.Map && isObject) return new Y.Map(Object.entries(value))
  return value
}
