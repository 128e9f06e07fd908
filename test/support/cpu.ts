/**
 * The time that this process has worked. Unlike the clock it does not grow while other programs have the cores, so a bound
 * on it is missed by what takes too much work, and not by a busy machine.
 */

/** A bound only against work that grows out of all measure: some hundred times of what is usual. */
export const hugeWorkMs = 20_000

export async function workMsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
