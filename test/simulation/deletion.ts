/**
 * What was deleted stays deleted: at the end of a run a document goes, everybody who has it comes back with their copy,
 * others begin it anew, and the server crashes or restarts in between.
 */
import * as Y from 'yjs'
import type { Chance } from './chance.ts'
import type { Page } from './page.ts'
import { Violation } from './trace.ts'
import type { World } from './world.ts'

/** `settle`: lets everything come to rest that is under way. */
export async function checkDeletions(
  world: World,
  chance: Chance,
  settle: () => Promise<void>
): Promise<void> {
  for (const room of world.rooms) {
    const old = world.pagesIn(room).filter(({ doc }) => Y.encodeStateVector(doc).length > 1)
    // A document that nobody wrote to leaves nothing to be known by.
    if (old.length > 0 && chance.hits(0.5)) await checkDeletion(world, chance, { room, old, settle })
  }
}

type Deletion = { readonly room: string; readonly old: readonly Page[]; readonly settle: () => Promise<void> }

async function checkDeletion(world: World, chance: Chance, { room, old, settle }: Deletion): Promise<void> {
  if (world.fleet !== null) {
    // What was written a moment before is still on its way to the other nodes.
    if (chance.hits(0.5)) world.servers.delayTalk(1_000)
    for (const page of old) page.edit()
    await world.clock.runFor(chance.scaled(1, 500))
  }
  world.trace.note('delete', room)
  const dead = new Set(old.flatMap(({ doc }) => [...Y.decodeStateVector(Y.encodeStateVector(doc)).keys()]))
  // Those without a copy must be able to be told apart from the others.
  for (const page of world.pagesIn(room)) if (!old.includes(page)) world.closePage(page, 'goodbye')
  for (const page of old) page.retire()
  const how = chance.pick(['well', 'well', 'crash-before', 'crash-after'] as const)
  await world.delete(room, { how, wait: ms => world.clock.runFor(ms) })

  await toldAll(world, old)
  const fresh = [world.openPage(room), world.openPage(room)]
  await syncedAll(world, fresh, settle)
  for (let i = 0; i < 6; i++) {
    chance.pick(fresh).edit()
    chance.pick(old).edit()
    await world.clock.runFor(chance.scaled(1, 500))
  }
  await comeBack(world, chance, old)
  await toldAll(world, old)
  await syncedAll(world, fresh, settle)
  for (const page of fresh) {
    checkIsFree(page, dead)
    const strangers = [...page.awareness.getStates().keys()].filter(id =>
      old.some(({ doc }) => doc.clientID === id)
    )
    if (strangers.length > 0) throw new Violation(`${page.name} sees ${strangers}, who has an old copy`)
  }
  for (const page of old) world.closePage(page, 'goodbye')
}

function comeBack(world: World, chance: Chance, old: readonly Page[]): Promise<void> {
  if (chance.hits(0.4)) world.servers.crash('told')
  else if (chance.hits(0.5)) world.servers.restart()
  else for (const page of old) world.cut(page, 'both')
  for (const page of old) page.forgetTold()
  return world.clock.runFor(1_000)
}

/** A page that found no server comes back after a while, and a server that starts takes its time. */
async function syncedAll(
  { clock }: World,
  fresh: readonly Page[],
  settle: () => Promise<void>
): Promise<void> {
  await settle()
  const untilMs = clock.nowMs + 30_000
  for (
    let page = fresh.find(each => !each.isSynced);
    page !== undefined;
    page = fresh.find(each => !each.isSynced)
  ) {
    if (clock.nowMs > untilMs) throw new Violation(`${page.name} is not synced after the deletion`)
    await clock.runFor(100)
  }
}

/** Each that has an old copy is told, however often it comes; the more often, the later. */
export async function toldAll(world: World, old: readonly Page[]): Promise<void> {
  const { clock, plan } = world
  const untilMs = clock.nowMs + 2 * plan.limits.refusalDelayMsMax + 60_000 + 4 * plan.limits.pingMs
  for (
    let page = old.find(({ isTold }) => !isTold);
    page !== undefined;
    page = old.find(({ isTold }) => !isTold)
  ) {
    if (clock.nowMs > untilMs) throw new Violation(`${page.name} has an old copy and is not told`)
    await clock.runFor(100)
  }
}

export function checkIsFree({ name, doc }: Page, dead: ReadonlySet<number>): void {
  const found = [...Y.decodeStateVector(Y.encodeStateVector(doc)).keys()].filter(client => dead.has(client))
  if (found.length > 0) throw new Violation(`${name} has structs of ${found}, which were deleted`)
}
