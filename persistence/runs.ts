/** Runs of numbers: how many records are named in few words. A list of them is ascending, and its runs lie apart. */

/** Numbers first..last, both included. */
export type Run = { readonly first: number; readonly last: number }

/** Ascending runs of the numbers given, in any order and with repetitions. */
export function runsOf(sequences: readonly number[]): Run[] {
  const runs: { first: number; last: number }[] = []
  for (const sequence of Float64Array.from(sequences).sort()) {
    const run = runs.at(-1)
    if (run !== undefined && sequence <= run.last + 1) run.last = sequence
    else runs.push({ first: sequence, last: sequence })
  }
  return runs
}

/** Whether ascending runs contain a number; O(log runs). */
export function isInRuns(runs: readonly Run[], sequence: number): boolean {
  let low = 0
  let high = runs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((runs[middle]?.last ?? 0) < sequence) low = middle + 1
    else high = middle
  }
  const run = runs[low]
  return run !== undefined && run.first <= sequence
}

/** What is in one list or in the other. */
export function unitedRuns(one: readonly Run[], other: readonly Run[]): Run[] {
  const united: { first: number; last: number }[] = []
  for (const { first, last } of [...one, ...other].sort((a, b) => a.first - b.first)) {
    const before = united.at(-1)
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last)
    else united.push({ first, last })
  }
  return united
}

/** What lies in 0..max and in no run of at least so many numbers: shorter ones are not worth a gap of their own. */
export function gapsBetween(runs: readonly Run[], { max, least }: { max: number; least: number }): Run[] {
  const gaps: Run[] = []
  let first = 0
  for (const run of runs) {
    if (run.last - run.first + 1 < least) continue
    if (run.first > first) gaps.push({ first, last: run.first - 1 })
    first = run.last + 1
  }
  if (first <= max) gaps.push({ first, last: max })
  return gaps
}

export function countOf(runs: readonly Run[]): number {
  return runs.reduce((sum, { first, last }) => sum + last - first + 1, 0)
}

export function* numbersIn(runs: readonly Run[]): Generator<number> {
  for (const { first, last } of runs) for (let number = first; number <= last; number++) yield number
}

/** Cuts runs into what is above `releasedTo` or a pin (ascending), and the rest. */
export function splitRuns(
  runs: readonly Run[],
  { releasedTo, pins }: { readonly releasedTo: number; readonly pins: readonly number[] }
): { kept: Run[]; gone: Run[] } {
  const kept: Run[] = []
  const gone: Run[] = []
  let at = 0
  for (const { first, last } of runs) {
    let from = first
    while (at < pins.length && (pins[at] ?? 0) < first) at++
    for (; at < pins.length && (pins[at] ?? 0) <= Math.min(last, releasedTo); at++) {
      const pin = pins[at] ?? 0
      if (pin > from) gone.push({ first: from, last: pin - 1 })
      kept.push({ first: pin, last: pin })
      from = pin + 1
    }
    const released = Math.min(last, releasedTo)
    if (released >= from) gone.push({ first: from, last: released })
    if (last > released) kept.push({ first: Math.max(from, released + 1), last })
  }
  return { kept: unitedRuns(kept, []), gone }
}
