/**
 * Patterns of room names: `*` stands for one or more characters but no `/`, `**` for one or more of any kind, everything
 * else for itself. Names are compared as they are: nothing is decoded, lower-cased or resolved, so `a/../b` is the name
 * of a document like any other, and no pattern for `b` speaks of it.
 */
import { type Access, type HistoryAccess, lesserAccess, lesserHistory } from './grant.ts'

/** Takes at most the product of the two lengths, whatever they hold. */
export function matchesRoom(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name
  const parts = partsOf(pattern)
  // ends[i]: the parts so far can end at position i of the name.
  let ends = new Uint8Array(name.length + 1)
  ends[0] = 1
  for (const part of parts) {
    ends = part === '*' || part === '**' ? afterStar(ends, name, part) : afterText(ends, name, part)
  }
  return ends[name.length] === 1
}

/** `a/**` → `a/`, `**`. Three stars and more are two. */
function partsOf(pattern: string): string[] {
  return pattern
    .split(/(\*+)/)
    .filter(part => part !== '')
    .map(part => (/^\*{3,}$/.test(part) ? '**' : part))
}

function afterText(ends: Uint8Array, name: string, text: string): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(ends.length)
  for (let at = name.indexOf(text); at !== -1; at = name.indexOf(text, at + 1)) {
    if (ends[at] === 1) next[at + text.length] = 1
  }
  return next
}

function afterStar(ends: Uint8Array, name: string, star: '*' | '**'): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(ends.length)
  let isOpen = false
  for (let at = 0; at < name.length; at++) {
    isOpen = (isOpen || ends[at] === 1) && (star === '**' || name[at] !== '/')
    if (isOpen) next[at + 1] = 1
  }
  return next
}

/** Room patterns and what each gives. Of those that match, the one with most characters beside its stars decides. */
export type RoomRights<Right> = ReadonlyMap<string, Right>

/** What the rights give for a name: `none` if no pattern matches it, and the least of several equally exact ones. */
export function accessTo(name: string, rights: RoomRights<Access>): Access {
  return mostExact(name, rights).reduce<Access | null>(lesserOf(lesserAccess), null) ?? 'none'
}

/** The same of histories. */
export function historyTo(name: string, rights: RoomRights<HistoryAccess>): HistoryAccess {
  return mostExact(name, rights).reduce<HistoryAccess | null>(lesserOf(lesserHistory), null) ?? 'none'
}

function lesserOf<Right>(lesser: (a: Right, b: Right) => Right): (least: Right | null, next: Right) => Right {
  return (least, next) => (least === null ? next : lesser(least, next))
}

/** What the most exact of the patterns that match give. */
function mostExact<Right>(name: string, rights: RoomRights<Right>): readonly Right[] {
  let exactness = -1
  let found: Right[] = []
  for (const [pattern, given] of rights) {
    const isExact = exactnessOf(pattern)
    if (isExact < exactness || !matchesRoom(pattern, name)) continue
    found = isExact === exactness ? [...found, given] : [given]
    exactness = isExact
  }
  return found
}

/** A pattern without stars is a name, and more exact than any with stars. */
function exactnessOf(pattern: string): number {
  return pattern.includes('*') ? pattern.replaceAll('*', '').length : Number.POSITIVE_INFINITY
}
