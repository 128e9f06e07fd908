/**
 * Answers of a history's worker as objects, made in steps: one of a large document would hold the event loop. Over HTTP they
 * go as they are: each reason once, and pieces name it by its number.
 */
import { parseInSteps } from '../base/json-steps.ts'
import type { Work } from '../base/slices.ts'
import type { DifferencePiece, DocumentDifferences } from './history-api.ts'

/** As it comes: `by` is a place in `reasons`, from 1; 0 is nobody known. */
type Piece = { by: unknown; readonly type?: Difference }
type Difference = {
  readonly pieces: readonly Piece[]
  readonly entries: Readonly<Record<string, readonly Piece[]>>
}
type Answer = {
  readonly reasons: readonly DifferencePiece['by'][]
  readonly types: Readonly<Record<string, Difference>>
}

/** So many pieces are told who they are by in one step. */
const piecesPerStep = 256

/** What `DifferencesWriter` wrote, with its reasons in the pieces. */
export function* differencesOf(bytes: Uint8Array): Work<DocumentDifferences> {
  // Written in this process.
  const { reasons, types } = (yield* parseInSteps(bytes)) as Answer
  for (const difference of Object.values(types)) yield* resolve(difference, reasons)
  return types as DocumentDifferences
}

function* resolve({ pieces, entries }: Difference, reasons: Answer['reasons']): Work<void> {
  let step = 0
  for (const each of [pieces, ...Object.values(entries)]) {
    for (const piece of each) {
      piece.by = reasons[Number(piece.by) - 1] ?? null
      if (piece.type !== undefined) yield* resolve(piece.type, reasons)
      if (++step % piecesPerStep === 0) yield
    }
  }
}
