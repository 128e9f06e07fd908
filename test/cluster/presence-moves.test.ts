/** People who go from node to node while nodes come and go, in virtual time: whom they see there, and who sees them. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seed } from '../support/seed.ts'
import { type Person, Site, World } from './presence-world.ts'

/** Nobody is seen again because a state was renewed anyway. */
const noRenewals = { awarenessLateMs: 1_000_000_000 }

let world: World
beforeEach(() => {
  world = new World(seed, noRenewals)
})
afterEach(() => world.close())

function seesAll(viewer: Person, people: readonly Person[]): void {
  const names = people.filter(person => viewer.sees(person) !== undefined).map(({ name }) => name)
  expect(names, `SEED=${seed}: whom ${viewer.name} sees`).toEqual(people.map(({ name }) => name))
}

test('[AW12] who comes to a node that has just started is shown with higher clocks those it saw elsewhere', async () => {
  const [first, second] = [new Site(world, 'node 0'), new Site(world, 'node 1')]
  const [ada, bob] = [world.person('ada'), world.person('bob')]
  ada.connect(first)
  bob.connect(second)
  await world.clock.runFor(3_000)
  seesAll(bob, [ada, bob])

  second.stop()
  await world.clock.runFor(1_000)
  bob.connect(new Site(world, 'node 2'))
  await world.clock.runFor(3_000)

  seesAll(bob, [ada, bob])
  seesAll(ada, [ada, bob])
})
