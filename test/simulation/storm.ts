/** The part of a run in which people work and things go wrong. */
import type { Chance } from './chance.ts'
import type { Page } from './page.ts'
import type { Plan } from './plan.ts'
import type { Scope } from './virtual-time.ts'
import type { World } from './world.ts'

/** Lets the storm loose; it ends by itself when the plan's time is over. */
export function beginStorm(world: World, chance: Chance, time: Scope): void {
  const { plan } = world
  const isOver = () => world.isCalm
  for (const room of world.rooms) {
    for (let i = 0; i < plan.pages; i++) time.after(chance.gapMs(500), () => void world.openPage(room))
  }
  // Two who open a document at the same moment, perhaps on two nodes, each of which would begin it.
  if (world.fleet?.hasSeeds === true)
    for (const room of [...world.rooms, ...world.rooms]) time.soon(() => void world.openPage(room))
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
  every(plan.mishapEveryMs, () => mishap(world, chance, plan))
}

function mishap(world: World, chance: Chance, plan: Plan): void {
  const page = world.pages.length > 0 ? chance.pick(world.pages) : null
  const run = chance.weighted<() => void>([
    [8, () => page !== null && world.cut(page, chance.pick(['both', 'both', 'client', 'server', 'nobody']))],
    [5, () => page?.disconnect()],
    [7, () => page?.connect()],
    [3, () => page?.resync()],
    [3, () => page !== null && world.stall(page, chance.scaled(50, 20_000))],
    [3, () => page !== null && world.closePage(page, chance.pick(['goodbye', 'vanish']))],
    [
      4,
      () =>
        void (world.pages.length < 2 * plan.pages * plan.rooms && world.openPage(chance.pick(world.rooms)))
    ],
    [1, () => page?.hideCursor()],
    ...world.servers.mishaps(chance)
  ])
  run()
}
