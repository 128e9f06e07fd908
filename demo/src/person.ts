// Who sits at a pane: a name and a colour, and what we accept of the people others announce.

export type Person = { readonly name: string; readonly color: string }

/** Each colour carries white text at 4.5:1 or better and stands out from both backgrounds. */
export const personColors = [
  { name: 'Rose', color: '#d6336c' },
  { name: 'Blue', color: '#1971c2' },
  { name: 'Orange', color: '#c9430c' },
  { name: 'Green', color: '#26803a' },
  { name: 'Violet', color: '#7950f2' },
  { name: 'Teal', color: '#0c7f93' }
] as const

export const nameLengthMax = 24

export type Seat = 'left' | 'right'

/** Checks a person that came from storage or from another client; null when it is none. */
export function personFrom(value: unknown): Person | null {
  if (typeof value !== 'object' || value === null) return null
  const { name, color } = value as Record<string, unknown>
  if (typeof name !== 'string' || name.trim() === '') return null
  if (typeof color !== 'string' || !/^#[0-9a-f]{6}$/i.test(color)) return null
  return { name: name.trim().slice(0, nameLengthMax), color }
}

/** At most two letters that stand for a name; characters outside the BMP stay whole. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/)
  const letters = words.map(word => Array.from(word)[0] ?? '')
  return (letters.length > 1 ? `${letters[0]}${letters.at(-1)}` : (letters[0] ?? '?')).toUpperCase()
}
