/**
 * Answers of a history's worker as objects. Over HTTP they go as they are: each reason once, and pieces name it by its
 * number.
 */
import type { Attribution } from '../history/attribution.ts'
import type { DifferencePiece, DocumentDifferences, TypeDifference } from './history-api.ts'

/** As it comes: `by` is a place in `reasons`, from 1; 0 is nobody known. */
type SentPiece = Omit<DifferencePiece, 'by' | 'type'> & { readonly by: number; readonly type?: SentType }
type SentType = Omit<TypeDifference, 'pieces' | 'entries'> & {
  readonly pieces: readonly SentPiece[]
  readonly entries: Readonly<Record<string, readonly SentPiece[]>>
}
type SentDifferences = {
  readonly reasons: readonly Attribution[]
  readonly types: Readonly<Record<string, SentType>>
}

/** What the worker wrote as JSON. */
export function parsedAnswer(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
}

export function differencesOf(bytes: Uint8Array): DocumentDifferences {
  // Written by `differencesJson`, in this process.
  const { reasons, types } = parsedAnswer(bytes) as SentDifferences
  const pieceOf = ({ by, type, ...rest }: SentPiece): DifferencePiece => {
    const nested = type === undefined ? {} : { type: typeOf(type) }
    return { ...rest, ...nested, by: reasons[by - 1] ?? null }
  }
  const typeOf = ({ pieces, entries, ...rest }: SentType): TypeDifference => ({
    ...rest,
    pieces: pieces.map(pieceOf),
    entries: mapped(entries, each => each.map(pieceOf))
  })
  return mapped(types, typeOf)
}

function mapped<T, R>(
  all: Readonly<Record<string, T>>,
  change: (value: T) => R
): Readonly<Record<string, R>> {
  return Object.fromEntries(Object.entries(all).map(([key, value]) => [key, change(value)]))
}
