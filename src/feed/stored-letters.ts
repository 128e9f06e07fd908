/** Dead letters as they lie in the marks of a store, where nobody tells. */
import type { MarkStore } from '../../persistence/marks.ts'
import { allMarks } from './all-marks.ts'
import { decodeState, dropped, encodeState, type DeadLetter as KeptLetter, repeated } from './mark-state.ts'

/** An event that an outlet was not told of until it was given up. */
export type DeadLetter = {
  readonly outlet: string
  readonly document: string
  readonly id: string
  readonly type: string
  readonly version: string
  /** When the event was made, and when it was given up: ISO 8601, in UTC. */
  readonly at: string
  readonly deadAt: string
  /** What was said at the last attempt. */
  readonly reason: string
}

export type WhichLetter = { readonly document: string; readonly outlet: string }

/** In no order. `isComplete`: whether these are all. Rejects as the store does. */
export async function listLetters(
  marks: Pick<MarkStore, 'list'>,
  lettersMax: number
): Promise<{ readonly letters: readonly DeadLetter[]; readonly isComplete: boolean }> {
  const letters: DeadLetter[] = []
  for await (const { document, value } of allMarks(marks)) {
    for (const [outlet, letter] of decodeState(value).dead) {
      if (letters.length >= lettersMax) return { letters, isComplete: false }
      letters.push(described(document, outlet, letter))
    }
  }
  return { letters, isComplete: true }
}

/** False: there is no such letter, or somebody else has just changed the mark. What is to be told waits for whoever tells. */
export async function amendLetter(
  marks: Pick<MarkStore, 'read' | 'write'>,
  { document, outlet }: WhichLetter,
  action: 'repeat' | 'drop'
): Promise<boolean> {
  const present = await marks.read(document)
  if (present === null) return false
  const { incarnation, after, value } = present
  const state = decodeState(value)
  if (!state.dead.has(outlet)) return false
  const next = action === 'drop' ? dropped(state, outlet) : repeated(state, outlet, Date.now())
  const [isMade] = await marks.write([{ present, next: { incarnation, after, value: encodeState(next) } }])
  return isMade === true
}

function described(document: string, outlet: string, letter: KeptLetter): DeadLetter {
  const { id, type, version, atMs, deadMs, reason } = letter
  const at = new Date(atMs).toISOString()
  return { outlet, document, id, type, version, at, deadAt: new Date(deadMs).toISOString(), reason }
}
