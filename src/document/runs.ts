/**
 * Sets of clocks of one client as sorted runs [start, end), neither overlapping nor adjacent, flat in one array: the
 * arithmetic. It must not know of clients.
 */

/** The index is always within the array; the fallback only satisfies the index type. */
export function at(runs: readonly number[], index: number): number {
  return runs[index] ?? 0
}

/** The index of the start of the first run whose end lies above the clock. */
export function firstRunEndingAfter(runs: readonly number[], clock: number): number {
  let low = 0
  let high = runs.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at(runs, middle * 2 + 1) > clock) high = middle
    else low = middle + 1
  }
  return low * 2
}

/** Replaces all runs that [start, end) overlaps or touches by their union with it. */
export function insertRun(runs: number[], start: number, end: number): void {
  // Clocks are integers, so "ends above start - 1" finds the run that ends exactly where this one starts.
  const first = firstRunEndingAfter(runs, start - 1)
  let after = first
  while (after < runs.length && at(runs, after) <= end) after += 2
  if (after === first) {
    runs.splice(first, 0, start, end)
    return
  }
  const unitedStart = Math.min(start, at(runs, first))
  const unitedEnd = Math.max(end, at(runs, after - 1))
  if (after === first + 2) {
    runs[first] = unitedStart
    runs[first + 1] = unitedEnd
  } else {
    runs.splice(first, after - first, unitedStart, unitedEnd)
  }
}

export function uniteRuns(a: readonly number[], b: readonly number[]): number[] {
  const united: number[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const takeA = j >= b.length || (i < a.length && at(a, i) <= at(b, j))
    const from = takeA ? a : b
    const index = takeA ? i : j
    if (takeA) i += 2
    else j += 2
    appendRun(united, at(from, index), at(from, index + 1))
  }
  return united
}

/** As one array what both cover, in place where that is cheap: a few runs among many move only those behind them. */
export function uniteInto(own: number[], runs: readonly number[]): number[] {
  const start = firstRunEndingAfter(own, at(runs, 0) - 1)
  const behind = firstRunStartingAfter(own, at(runs, runs.length - 1))
  if (behind - start + runs.length > splicedMax) return uniteRuns(own, runs)
  own.splice(start, behind - start, ...uniteRuns(own.slice(start, behind), runs))
  return own
}

/** How many numbers lie in the runs that [start, end) overlaps or touches. */
export function touchedBy(runs: readonly number[], start: number, end: number): number {
  return firstRunStartingAfter(runs, end) - firstRunEndingAfter(runs, start - 1)
}

/** Arguments of one call lie on the stack. */
const splicedMax = 32_768

/** The index of the start of the first run that begins above the clock. */
function firstRunStartingAfter(runs: readonly number[], clock: number): number {
  let low = 0
  let high = runs.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (at(runs, middle * 2) > clock) high = middle
    else low = middle + 1
  }
  return low * 2
}

export function appendRun(runs: number[], start: number, end: number): void {
  const last = runs.length - 1
  if (last < 0 || start > at(runs, last)) runs.push(start, end)
  else if (end > at(runs, last)) runs[last] = end
}

export function intersectRuns(a: readonly number[], b: readonly number[]): number[] {
  const common: number[] = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const start = Math.max(at(a, i), at(b, j))
    const end = Math.min(at(a, i + 1), at(b, j + 1))
    if (start < end) common.push(start, end)
    if (at(a, i + 1) < at(b, j + 1)) i += 2
    else j += 2
  }
  return common
}

export function subtractRuns(a: readonly number[], b: readonly number[]): number[] {
  const rest: number[] = []
  let j = 0
  for (let i = 0; i < a.length; i += 2) {
    let start = at(a, i)
    const end = at(a, i + 1)
    while (j < b.length && at(b, j + 1) <= start) j += 2
    for (let k = j; k < b.length && at(b, k) < end; k += 2) {
      if (at(b, k) > start) rest.push(start, at(b, k))
      start = Math.max(start, at(b, k + 1))
    }
    if (start < end) rest.push(start, end)
  }
  return rest
}

/**
 * Unsorted, overlapping runs as sorted runs. Starts and ends are sorted apart from one another:
 * as many runs are open at a clock as starts lie at or before it and ends do not.
 */
export function sortRuns(unsorted: readonly number[]): number[] {
  const count = unsorted.length / 2
  const starts = new Float64Array(count)
  const ends = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    starts[i] = at(unsorted, 2 * i)
    ends[i] = at(unsorted, 2 * i + 1)
  }
  starts.sort()
  ends.sort()
  const runs: number[] = []
  let first = 0
  for (let i = 0; i < count; i++) {
    // All that began up to here has ended, and what comes next begins beyond.
    if (i + 1 < count && (starts[i + 1] ?? 0) <= (ends[i] ?? 0)) continue
    runs.push(starts[first] ?? 0, ends[i] ?? 0)
    first = i + 1
  }
  return runs
}
