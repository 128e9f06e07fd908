/** The part of a run in which people work and things go wrong. */

import { AmidDeletions } from './amid-deletions.ts'
import type { Chance } from './chance.ts'
import type { Page } from './page.ts'
import type { Plan } from './plan.ts'
import type { Mishap } from './servers.ts'
import type { Scope } from './virtual-time.ts'
import type { World } from './world.ts'

/** Lets the storm loose; it ends by itself when the plan's time is over. */
export function beginStorm(world: World, chance: Chance, time: Scope): AmidDeletions | null {
  const { plan } = world
  const deletions = world.fleet?.deletesAmid === true ? new AmidDeletions(world, chance.fork(), time) : null
  const open = (room: string) => {
    if (deletions?.isUnderWay(room) !== true) world.openPage(room)
  }
  const isOver = () => world.isCalm
  for (const room of world.rooms) {
    for (let i = 0; i < plan.pages; i++) time.after(chance.gapMs(500), () => open(room))
  }
  // Two who open a document at the same moment, perhaps on two nodes, each of which would begin it.
  if (world.fleet?.hasSeeds === true)
    for (const room of [...world.rooms, ...world.rooms]) time.soon(() => open(room))
  const every = (meanMs: number, run: () => void) => {
    const again = () => {
      if (isOver()) return
      run()
      time.after(chance.gapMs(meanMs), again)
    }
    time.after(chance.gapMs(meanMs), again)
  }
  const anyPage = (use: (page: Page) => void) => () => {
    if (world.pages.length > 0) use(chance.pick(world.pages))
  }
  const pages = plan.pages * plan.rooms
  every(
    plan.editEveryMs / pages,
    anyPage(page => page.edit())
  )
  every(
    (3 * plan.editEveryMs) / pages,
    anyPage(page => page.moveCursor())
  )
  const deleteOne = () => deletions?.begin(chance.pick(world.rooms))
  const own: readonly Mishap[] = deletions === null ? [] : [[6, deleteOne]]
  every(plan.mishapEveryMs, () => mishap(world, chance, { plan, open, own }))
  return deletions
}

type Means = {
  readonly plan: Plan
  readonly open: (room: string) => void
  /** Mishaps beside those of pages and servers. */
  readonly own: readonly Mishap[]
}

function mishap(world: World, chance: Chance, { plan, open, own }: Means): void {
  const page = world.pages.length > 0 ? chance.pick(world.pages) : null
  const run = chance.weighted<() => void>([
    [8, () => page !== null && world.cut(page, chance.pick(['both', 'both', 'client', 'server', 'nobody']))],
    [5, () => page?.disconnect()],
    [7, () => page?.connect()],
    [3, () => page?.resync()],
    [3, () => page !== null && world.stall(page, chance.scaled(50, 20_000))],
    [3, () => page !== null && world.closePage(page, chance.pick(['goodbye', 'vanish']))],
    [4, () => void (world.pages.length < 2 * plan.pages * plan.rooms && open(chance.pick(world.rooms)))],
    [1, () => page?.hideCursor()],
    ...world.servers.mishaps(chance),
    ...own
  ])
  run()
}
