/**
 * Who inserted what, and who deleted it, from timelines alone: for each clock of each client the change that brought it.
 * Copies that restores have made count as what they are copies of.
 */
import type { CopyRun } from './restore.ts'
import type { Change } from './timeline.ts'

/** Of a change, what somebody is shown. */
export type Attribution = Pick<Change, 'author' | 'timeMs' | 'sequence'>

/** A stretch of a client's clocks, [start, end), that one change is the reason for. */
type Stretch = { readonly start: number; readonly end: number; readonly by: Attribution }

export class Attributions {
  readonly #inserted = new Map<number, Stretch[]>()
  readonly #deleted = new Map<number, Stretch[]>()
  readonly #copies = new Map<number, CopyRun[]>()

  /** `changes`: of a whole history, in order. */
  constructor(changes: Iterable<Change>, copies: readonly CopyRun[]) {
    for (const { inserted, deleted, ...by } of changes) {
      for (const range of inserted) put(this.#inserted, range, by)
      for (const range of deleted) put(this.#deleted, range, by)
    }
    // A client's insertions come in the order of its clocks; deletions in any.
    for (const stretches of this.#deleted.values()) stretches.sort((a, b) => a.start - b.start)
    for (const run of copies) {
      const runs = this.#copies.get(run.client) ?? []
      this.#copies.set(run.client, runs)
      runs.push(run)
    }
  }

  /**
   * Who inserted the clock, and up to which clock (not included, at most `end`) this is so. `by` is null where the history
   * does not reach back to it.
   */
  insertion(client: number, clock: number, end: number): { by: Attribution | null; end: number } {
    const copy = this.#copies.get(client)?.find(run => run.clock <= clock && clock < run.clock + run.length)
    if (copy === undefined) return stretchAt(this.#inserted.get(client), clock, end)
    const shift = copy.ofClock - copy.clock
    const until = Math.min(end, copy.clock + copy.length)
    const of = this.insertion(copy.ofClient, clock + shift, until + shift)
    return { by: of.by, end: of.end - shift }
  }

  /** Who deleted it; as with `insertion`. */
  deletion(client: number, clock: number, end: number): { by: Attribution | null; end: number } {
    return stretchAt(this.#deleted.get(client), clock, end)
  }
}

function put(
  all: Map<number, Stretch[]>,
  { client, clock, length }: { client: number; clock: number; length: number },
  by: Attribution
): void {
  const stretches = all.get(client) ?? []
  all.set(client, stretches)
  stretches.push({ start: clock, end: clock + length, by })
}

function stretchAt(stretches: readonly Stretch[] = [], clock: number, end: number) {
  let [low, high] = [0, stretches.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((stretches[middle]?.end ?? 0) <= clock) low = middle + 1
    else high = middle
  }
  const found = stretches[low]
  if (found === undefined) return { by: null, end }
  if (found.start > clock) return { by: null, end: Math.min(end, found.start) }
  return { by: found.by, end: Math.min(end, found.end) }
}
