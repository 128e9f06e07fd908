/** What a request about a history says: moments, names of root types, numbers. Whatever is wrong is ERR_BAD_MESSAGE, by name. */

import type { HistoryMoment } from '../documents/history-api.ts'
import { wrong } from './router.ts'

type Kind = 'text' | 'array' | 'map' | 'xml'

const rootsMax = 100
const kinds: readonly string[] = ['text', 'array', 'map', 'xml'] satisfies readonly Kind[]

/** `?time=`, `?sequence=` or `?version=`; null: none of them. */
export function momentOf(query: URLSearchParams): HistoryMoment | null {
  const named = ['time', 'sequence', 'version'].filter(name => query.has(name))
  const [name] = named
  if (name === undefined) return null
  if (named.length > 1) throw wrong(`one of ${named.join(' and ')}, not both`)
  return momentFrom(`${name}:${query.get(name)}`)
}

/** `time:2026-11-30T10:00:00Z` (also without `time:`, and in milliseconds since 1970), `sequence:12`, `version:…`. */
export function momentFrom(text: string): HistoryMoment {
  const [, kind = 'time', rest = ''] = /^(?:(time|sequence|version):)?(.*)$/s.exec(text) ?? []
  if (kind === 'version' && rest !== '') return { version: rest }
  if (kind === 'sequence' && isWhole(rest)) return { sequence: Number(rest) }
  if (kind === 'time') return { timeMs: timeFrom(rest) }
  throw wrong(`"${text.slice(0, 40)}" is no moment: a time, sequence:<number> or version:<id>`)
}

/** ISO 8601, or milliseconds since 1970. */
export function timeFrom(text: string): number {
  const timeMs = isWhole(text) ? Number(text) : Date.parse(text)
  if (Number.isSafeInteger(timeMs) && timeMs >= 0) return timeMs
  throw wrong(`"${text.slice(0, 40)}" is no time`)
}

export function wholeOf(query: URLSearchParams, name: string, max: number): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (isWhole(text) && Number(text) <= max) return Number(text)
  throw wrong(`${name} is a whole number, at most ${max}`)
}

/** `?roots=body,title`; null: all. A comma in a name is written %2C within the value. */
export function rootsOf(query: URLSearchParams): readonly string[] | null {
  const text = query.get('roots')
  return text === null ? null : partsOf('roots', text)
}

/** `?types=body:text,meta:map`; null: the whole document is asked for. */
export function typesOf(query: URLSearchParams): Readonly<Record<string, Kind>> | null {
  const text = query.get('types')
  if (text === null) return null
  const entries = partsOf('types', text).map(part => {
    const at = part.lastIndexOf(':')
    const kind = part.slice(at + 1)
    if (at < 1 || !isKind(kind))
      throw wrong('types is a list like body:text,meta:map; array and xml are the others')
    return [part.slice(0, at), kind] as const
  })
  return Object.fromEntries(entries)
}

function isKind(kind: string): kind is Kind {
  return kinds.includes(kind)
}

function partsOf(name: string, text: string): readonly string[] {
  const parts = text.split(',')
  if (parts.length <= rootsMax && !parts.includes('')) return parts.map(decoded)
  throw wrong(`${name} is a list of 1 to ${rootsMax} names, separated by commas`)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw wrong('a name with escapes that are none')
  }
}

function isWhole(text: string): boolean {
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))
}
