/**
 * People whose right is taken away on one node, while the bus loses messages and nodes fail: they come again and again, and no
 * node has them as a member once it could know.
 */
import { StoreError } from '../../persistence/store.ts'
import { Fault } from '../../src/base/errors.ts'
import { Chance } from './chance.ts'
import type { Page } from './page.ts'
import type { RightsPlan } from './plan.ts'
import type { ServerProcess } from './server-process.ts'
import { Violation } from './trace.ts'
import type { Scope } from './virtual-time.ts'
import type { World } from './world.ts'

/** `sinceMs`: when the call was answered; null: it is under way. */
type Outlaw = { readonly page: Page; sinceMs: number | null }

const everyMs = 500
const overWithinMs = 120_000

export class Rights {
  readonly #world: World
  readonly #plan: RightsPlan
  readonly #time: Scope
  readonly #chance: Chance
  readonly #outlaws: Outlaw[] = []
  /** Since when each process has run and reached its store. */
  #wellSinceMs = new Map<ServerProcess, number>()

  constructor(world: World, plan: RightsPlan, time: Scope) {
    this.#world = world
    this.#plan = plan
    this.#time = time
    this.#chance = new Chance(plan.seed)
    this.#later()
    this.#look()
  }

  /** In calm: each has been told, and no node has any of them. */
  async end(): Promise<void> {
    const { clock, plan, trace } = this.#world
    const untilMs = clock.nowMs + overWithinMs + 2 * plan.limits.refusalDelayMsMax + 4 * plan.limits.pingMs
    for (const { page } of this.#outlaws) page.connect()
    const isOpen = ({ page, sinceMs }: Outlaw) => sinceMs === null || !page.isTold
    for (let open = this.#outlaws.find(isOpen); open !== undefined; open = this.#outlaws.find(isOpen)) {
      if (clock.nowMs > untilMs)
        throw new Violation(`${open.page.name} has no right any more and is not told`)
      await clock.runFor(100)
    }
    for (const { page } of this.#outlaws) {
      trace.note('outlaw gone', page.name)
      page.close('goodbye')
    }
  }

  #later(): void {
    this.#time.after(this.#chance.gapMs(this.#plan.gapMs), () => {
      const { pages, isCalm } = this.#world
      if (isCalm) return
      const free = pages.filter(({ isRetired }) => !isRetired)
      if (free.length > 0) this.#revoke(this.#chance.pick(free))
      this.#later()
    })
  }

  #revoke(page: Page): void {
    const { trace, clock } = this.#world
    trace.note('revoke', page.name)
    this.#world.outlaw(page)
    const outlaw: Outlaw = { page, sinceMs: null }
    this.#outlaws.push(outlaw)
    this.#untilRevoked(page.name).then(
      () => {
        trace.note('revoked', page.name)
        outlaw.sinceMs = clock.nowMs
      },
      (error: unknown) => clock.fail(error)
    )
  }

  async #untilRevoked(user: string): Promise<void> {
    for (;;) {
      const up = this.#world.servers.all.filter(({ isUp }) => isUp)
      if (up.length > 0 && (await this.#isRevokedBy(this.#chance.pick(up), user))) return
      await this.#time.delay(300)
    }
  }

  async #isRevokedBy(process: ServerProcess, user: string): Promise<boolean> {
    let outcome: boolean | null = null
    process.revoke(user).then(
      () => {
        outcome = true
      },
      (error: unknown) => {
        outcome = false
        const isExpected = error instanceof Fault && ['ERR_STORE', 'ERR_GOING_DOWN'].includes(error.code)
        if (isExpected || error instanceof StoreError) return
        this.#world.clock.fail(new Violation(`a right could not be taken away: ${error}`, { cause: error }))
      }
    )
    while (outcome === null && !process.isOver) await this.#time.delay(20)
    return outcome === true
  }

  /** A node that could know for so long has none of them. */
  #look(): void {
    this.#time.after(everyMs, () => this.#look())
    const { servers, clock, isCalm } = this.#world
    const boundMs = isCalm ? 10_000 : 15_000
    const well = servers.all.filter(process => servers.isWell(process))
    this.#wellSinceMs = new Map(well.map(each => [each, this.#wellSinceMs.get(each) ?? clock.nowMs]))
    for (const [process, wellMs] of this.#wellSinceMs) {
      for (const { page, sinceMs } of this.#outlaws) {
        if (sinceMs === null || clock.nowMs < Math.max(wellMs, sinceMs) + boundMs) continue
        if (process.hasMember(page.name))
          clock.fail(new Violation(`${page.name} is a member, and has had no right since ${sinceMs}`))
      }
    }
  }
}
