/**
 * Work in steps, as generators that give way after each: some ten microseconds. Whoever runs it decides how many there
 * are in a turn of the event loop.
 */

export type Steps<T> = Generator<void, T>

/** Items that are looked at in one step. */
export const itemsPerStep = 128

/** Together well below a millisecond, unless a step is a large one. */
const stepsPerTurn = 32

/** All steps at once. */
export function finish<T>(work: Steps<T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

/** Awaits `breathe` between some steps and the next ones. */
export async function inTurns<T>(work: Steps<T>, breathe: () => Promise<unknown>): Promise<T> {
  for (let steps = 1; ; steps++) {
    const step = work.next()
    if (step.done === true) return step.value
    if (steps % stepsPerTurn === 0) await breathe()
  }
}

/** As `every` of arrays. */
export function* everyInSteps<T>(items: Iterable<T>, holds: (item: T) => boolean): Steps<boolean> {
  let step = 0
  for (const item of items) {
    if (!holds(item)) return false
    if (++step % itemsPerStep === 0) yield
  }
  return true
}
