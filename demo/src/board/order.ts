// Positions in a list that people reorder at the same time: keys that sort as text, with room between any two.
import { generateKeyBetween, generateNKeysBetween } from 'fractional-indexing'

export type Ordered = { readonly id: string; readonly at: string }

/** A key to use where a stored one is none. */
const anyKey = generateKeyBetween(null, null)

/** Returns what another client stored, if it is a key; the library throws at what is none. */
export function orderKey(value: unknown): string {
  if (typeof value !== 'string') return anyKey
  try {
    generateKeyBetween(value, null)
    return value
  } catch {
    return anyKey
  }
}

/** By key; two people who put something at the same spot at once made the same key, and the id decides for everybody. */
export function compareOrder(one: Ordered, other: Ordered): number {
  return compareTexts(one.at, other.at) || compareTexts(one.id, other.id)
}

/**
 * Returns the key for something put at `index` of `items` (sorted, without it), and new keys for those after it that
 * share theirs with the one before: between equal keys there is no room.
 */
export function keysAt(items: readonly Ordered[], index: number) {
  const before = items[index - 1]?.at ?? null
  const rest = items.slice(index)
  const firstAfter = rest.findIndex(({ at }) => before === null || at > before)
  const tied = firstAfter === -1 ? rest : rest.slice(0, firstAfter)
  const [own = anyKey, ...others] = generateNKeysBetween(
    before,
    rest[firstAfter]?.at ?? null,
    tied.length + 1
  )
  return { own, moved: tied.map(({ id }, place) => ({ id, at: others[place] ?? own })) }
}

/** By code unit, as the keys are made; `localeCompare` would order them by language. */
function compareTexts(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}
