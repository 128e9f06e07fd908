/** What each page must be shown of who is there: exactly the states of those who are, the latest of each (AW3, AW12). */
import type { Chance } from './chance.ts'
import type { Page } from './page.ts'
import { Violation } from './trace.ts'
import type { World } from './world.ts'

export function checkAllPresence(world: World): void {
  if (world.servers.shown === null) return
  for (const room of world.rooms) {
    const pages = world.pagesIn(room)
    for (const page of pages) checkShown(page, expectedBy(world, page, pages))
  }
}

function expectedBy({ servers }: World, page: Page, pages: readonly Page[]): Map<number, string> {
  const expected = new Map<number, string>()
  for (const other of pages) {
    const state = other.awareness.getLocalState()
    const isShown = servers.shown === 'of-all' || servers.areTogether(page.name, other.name)
    if (state !== null && isShown) expected.set(other.doc.clientID, JSON.stringify(state))
  }
  return expected
}

function checkShown({ name, awareness }: Page, expected: ReadonlyMap<number, string>): void {
  const seen = awareness.getStates()
  for (const [clientID, state] of expected) {
    const found = JSON.stringify(seen.get(clientID))
    if (found !== state) throw new Violation(`${name} sees ${clientID} as ${found} instead of ${state}`)
  }
  for (const clientID of seen.keys()) {
    if (!expected.has(clientID)) throw new Violation(`${name} sees ${clientID}, who is not there`)
  }
}

/** How soon a change of a state is seen, by whoever is on another node as well. */
const movesSeenMs = 2_000

/** Several nodes: people move, go and come while nothing is wrong, and are seen to. One server is tried by the storm. */
export async function checkMoves(world: World, chance: Chance): Promise<void> {
  if (world.fleet === null) return
  const { clock, plan } = world
  for (let moves = 0; moves < 3 * world.pages.length; moves++) {
    const page = chance.pick(world.pages)
    if (chance.hits(0.1)) page.hideCursor()
    else page.moveCursor()
    await clock.runFor(chance.scaled(1, 300))
  }
  await clock.runFor(movesSeenMs + 10 * plan.network.latencyMs)
  checkAllPresence(world)
}
