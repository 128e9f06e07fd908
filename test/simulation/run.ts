/** One run: a storm, then calm, then every check. The same seed gives exactly the same run. */
import * as Y from 'yjs'
import { bounds } from '../../persistence/bounds.ts'
import { defaultLimits } from '../../src/base/limits.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { type ClockRange, scanUpdate } from '../../src/document/scan.ts'
import { watchAdoptions } from './adoption-watch.ts'
import type { AmidDeletions } from './amid-deletions.ts'
import { Chance } from './chance.ts'
import { checkDeletions } from './deletion.ts'
import { asPlanOf, drawFleetPlan } from './fleet-plan.ts'
import { canonical } from './ledger.ts'
import type { Page } from './page.ts'
import { PastChanges } from './past-changes.ts'
import { drawPastPlan } from './past-plan.ts'
import { drawPlan, drawRightsPlan, type Plan, withPast } from './plan.ts'
import { noPlant, type Plant } from './plants.ts'
import { checkAllPresence, checkMoves } from './presence-checks.ts'
import { Rights } from './rights.ts'
import { beginStorm } from './storm.ts'
import { Trace, Violation } from './trace.ts'
import { type Scope, VirtualClock } from './virtual-time.ts'
import { World } from './world.ts'

export type RunResult = {
  readonly seed: number
  readonly digest: string
  readonly events: number
  readonly virtualMs: number
  readonly counts: ReadonlyMap<string, number>
}

/** What a failed run throws: what was wrong, its seed, and the last events. */
export class RunFailed extends Error {
  readonly seed: number

  constructor(seed: number, trace: Trace, cause: unknown) {
    const what = cause instanceof Error ? `${cause.message}\n${cause.stack}` : String(cause)
    super(`seed ${seed}: ${what}\n\nthe last events:\n${trace.lastLines()}\n\nseed ${seed}: ${what}`, {
      cause
    })
    this.name = 'RunFailed'
    this.seed = seed
  }
}

export type SimulationOptions = {
  readonly plant?: Plant
  /** 1 is one server on a disk of its own; more are as many on one database. */
  readonly nodes?: number
  /** `drawn`: as the seed says. `none`: no document keeps a history and nobody's rights are taken away, as before there was any of that. */
  readonly histories?: 'drawn' | 'none'
}

/** Rejects with RunFailed. */
export async function simulate(
  seed: number,
  { plant = noPlant, nodes = 1, histories = 'drawn' }: SimulationOptions = {}
): Promise<RunResult> {
  const clock = new VirtualClock()
  const trace = new Trace(clock)
  const chance = new Chance(seed)
  const drawn = drawPlan(chance)
  const fleet = nodes === 1 ? null : drawFleetPlan(chance.fork(), nodes)
  const past = histories === 'none' ? null : drawPastPlan(seed, drawn.rooms)
  const rights = histories === 'none' ? null : drawRightsPlan(seed)
  const plan = { ...withPast(fleet === null ? drawn : asPlanOf(fleet, drawn), past), rights }
  const fail = (error: unknown) => clock.fail(error)
  const restore = shrinkStore(plan)
  const unpatch = plant.patch?.()
  const unwatch = fleet === null ? () => {} : watchAdoptions(fail)
  process.on('unhandledRejection', fail)
  try {
    const world = new World({ clock, trace, chance: chance.fork(), plan, plant, fleet })
    await play(world, chance)
    return {
      seed,
      digest: trace.digest(),
      events: clock.events,
      virtualMs: clock.nowMs,
      counts: trace.counts
    }
  } catch (error) {
    trace.note('plan', JSON.stringify({ ...plan, limits: changedLimits(plan), fleet }))
    throw new RunFailed(seed, trace, error)
  } finally {
    process.off('unhandledRejection', fail)
    unwatch()
    unpatch?.()
    restore()
  }
}

function changedLimits({ limits }: Plan): Record<string, number> {
  const defaults = new Map<string, number>(Object.entries(defaultLimits))
  return Object.fromEntries(Object.entries(limits).filter(([name, value]) => defaults.get(name) !== value))
}

/** The store's bounds for this run. They are constants for everybody else, so they are put back. */
function shrinkStore(plan: Plan): () => void {
  const { batchBytesMax, removalKeysMax, pageKeys } = bounds
  Object.assign(bounds, plan.storeBounds)
  return () => void Object.assign(bounds, { batchBytesMax, removalKeysMax, pageKeys })
}

async function play(world: World, chance: Chance): Promise<void> {
  const { clock, plan } = world
  const time = clock.scope()
  const deletions = beginStorm(world, chance.fork(), time)
  const changes = pastChanges(world, time, deletions)
  const rights = plan.rights === null ? null : new Rights(world, plan.rights, time)
  await clock.runFor(plan.stormMs)
  await world.calm()
  await rights?.end()
  await changes?.end()
  await deletions?.end()
  // Somebody disappears without a word; nobody who comes later may see them.
  for (const room of world.rooms) {
    const pages = world.pagesIn(room)
    if (pages.length > 1 && chance.hits(0.6))
      time.after(chance.between(0, 8_000), () => world.closePage(chance.pick(pages), 'vanish'))
  }
  // Half-open connections are found by silence, on either side; a joiner may wait for a stalled one.
  await clock.runFor(4 * plan.limits.pingMs + 40_000)
  for (const room of world.rooms) if (chance.hits(0.6)) world.openPage(room)
  await clock.runFor(settleMs(plan))
  expectAllSynced(world)
  checkAllPresence(world)
  // With gaps, a page may hold what it has overheard and was never asked for, until it comes back.
  if (plan.order === 'causal') for (const room of world.rooms) checkReplicas(world, room, 'after the storm')
  await checkReconnects(world, chance)
  world.servers.talk('well')
  await checkNewcomers(world)
  deletions?.check()
  await checkMoves(world, chance)
  world.servers.talk('as-planned')
  await checkDeletions(world, chance, () => clock.runFor(settleMs(plan)))
  await checkEnd(world)
}

/** Null: nobody changes documents by their past. */
function pastChanges(world: World, time: Scope, deletions: AmidDeletions | null): PastChanges | null {
  const { plan, servers, book, clock, trace } = world
  const changes = plan.past?.changes ?? null
  if (changes === null) return null
  const isBeingDeleted = (room: string) => deletions?.isUnderWay(room) === true
  const about = { servers, book, time, clock, trace, isBeingDeleted }
  return new PastChanges({ ...about, plan: changes, isCalm: () => world.isCalm })
}

/** Long enough for a connection, a join and its presence, at this run's speed of network, disk and worker. */
function settleMs({ network, disk, workerMs }: Plan): number {
  return 2_500 + 20 * network.latencyMs + 40 * workerMs + 100 * disk.delayMs
}

/**
 * Everybody comes back at once, twice: the second time, nobody has anything new to say. Unless somebody had, the first
 * time: what Yjs deletes when it integrates that, each says when it comes back, and the time after is the one that counts.
 */
async function checkReconnects(world: World, chance: Chance): Promise<void> {
  const first = await acceptedBy(world, () => reconnectAll(world, chance))
  for (const room of world.rooms) checkReplicas(world, room, 'after coming back')
  let more = await acceptedBy(world, () => reconnectAll(world, chance))
  if (first > 0 && more > 0) more = await acceptedBy(world, () => reconnectAll(world, chance))
  if (more > 0) throw new Violation(`a reconnect with nothing new added ${more} updates to the log`)
}

/** How many updates the log has more afterwards. */
async function acceptedBy({ trace }: World, work: () => Promise<void>): Promise<number> {
  const count = () => trace.counts.get('updates accepted') ?? 0
  const before = count()
  await work()
  return count() - before
}

async function reconnectAll(world: World, chance: Chance): Promise<void> {
  const { clock, plan } = world
  const startMs = clock.nowMs
  const why = chance.weighted([
    [5, 'cut'],
    [3, 'takeover'],
    [2, 'restart'],
    [2, 'crash']
  ] as const)
  world.trace.note('reconnect', why)
  if (why === 'restart') world.servers.restart()
  else if (why === 'crash') world.servers.crash('told')
  else
    for (const page of world.pages)
      world.cut(page, why === 'takeover' && chance.hits(0.5) ? 'client' : 'both')
  await allSynced(world, startMs)
  const lastMs = Math.max(startMs, ...world.pages.map(page => page.syncedAtMs))
  // Presence is promised a second after; a takeover pings for 600 ms before.
  const { presenceMs } = world.servers
  const takeoverMs = why === 'takeover' ? 600 : 0
  await clock.runUntil(lastMs + 1_000 + 6 * plan.network.latencyMs + takeoverMs + presenceMs)
  checkAllPresence(world)
  await clock.runFor(chance.scaled(100, 40_000))
  checkAllPresence(world)
}

/** Everybody has come back since. */
async function allSynced(world: World, sinceMs: number): Promise<void> {
  const { clock, plan } = world
  const untilMs = clock.nowMs + 10_000 + 4 * settleMs(plan)
  const isBack = (page: Page) => page.isSynced && page.syncedAtMs > sinceMs
  while (!world.pages.every(isBack)) {
    if (clock.nowMs > untilMs)
      throw new Violation(`${world.pages.find(page => !isBack(page))?.name} does not come back`)
    await clock.runFor(20)
  }
}

function expectAllSynced(world: World): void {
  for (const page of world.pages) {
    if (!page.isSynced) throw new Violation(`${page.name} is not synced`)
    if (!page.isSaved) throw new Violation(`${page.name} has changes that nobody acknowledges`)
  }
}

/** Answers what they all say. Loading a document is the dear part: once for all that are encoded in the same bytes. */
function checkReplicas(world: World, room: string, when: string): Uint8Array | null {
  let first: { page: Page; bytes: Uint8Array; state: Uint8Array } | null = null
  for (const page of world.pagesIn(room)) {
    const bytes = Y.encodeStateAsUpdate(page.doc)
    if (first !== null && Buffer.compare(bytes, first.bytes) === 0) continue
    const state = canonical([bytes])
    world.ledgers.get(room)?.check(state, `${page.name} ${when}`)
    first ??= { page, bytes, state }
    if (Buffer.compare(state, first.state) !== 0)
      throw new Violation(
        `${page.name} and ${first.page.name} differ ${when}: ${difference(state, first.state)}`
      )
  }
  return first?.state ?? null
}

/** What one of two documents has that the other lacks, both ways. */
function difference(a: Uint8Array, b: Uint8Array): string {
  const [left, right] = [scanUpdate(a), scanUpdate(b)]
  const beyond = (these: readonly ClockRange[], those: readonly ClockRange[]) =>
    JSON.stringify([...ClockRuns.from(these).subtract(ClockRuns.from(those)).ranges()])
  return [
    `structs ${beyond(left.structs, right.structs)} / ${beyond(right.structs, left.structs)}`,
    `deletions ${beyond(left.deletes, right.deletes)} / ${beyond(right.deletes, left.deletes)}`,
    `${a.length} / ${b.length} bytes`
  ].join(', ')
}

/** Who comes to a quiet room has the same document as those who were there, and as the store. */
async function checkNewcomers(world: World): Promise<void> {
  for (const room of world.rooms) world.openPage(room)
  await world.clock.runFor(settleMs(world.plan) + world.servers.presenceMs)
  expectAllSynced(world)
  for (const room of world.rooms) {
    const state = checkReplicas(world, room, 'beside a newcomer')
    checkPlanted(world, room)
    world.trace.note('final', `${room} ${state?.length} ${state === null ? '' : hashOf(state)}`)
  }
  checkAllPresence(world)
}

/** Whichever node was first, a document begins once. (Who has what a store that went back has lost brings it back.) */
function checkPlanted(world: World, room: string): void {
  const { fleet } = world
  if (fleet === null || !fleet.hasSeeds || fleet.goesBack) return
  for (const { name, doc } of world.pagesIn(room)) {
    const { length } = doc.getArray('planted')
    // It may have been taken back, as all else.
    const isThere = length === 1 || (length === 0 && world.plan.past?.changes != null)
    if (!isThere) throw new Violation(`${name} has what the document begins with ${length} times`)
  }
}

function hashOf(bytes: Uint8Array): number {
  return bytes.reduce((hash, byte) => (Math.imul(hash, 31) + byte) | 0, 0)
}

/** Everybody leaves: rooms close, no timer and no connection stays, and the store has everything. */
async function checkEnd(world: World): Promise<void> {
  const { clock, plan } = world
  for (const page of [...world.pages]) world.closePage(page, 'goodbye')
  // Those that were left half-open by a page that came back are found by silence.
  const { roomIdleMs, closeTimeoutMs, pingMs } = plan.limits
  await clock.runFor(roomIdleMs + closeTimeoutMs + 3 * pingMs + 2 * settleMs(plan))
  if (world.wireCount > 0) throw new Violation(`${world.wireCount} sockets are left`)
  for (const server of world.servers.all) {
    if (server.connectionCount > 0) throw new Violation(`${server.connectionCount} connections are left`)
    if (server.roomCount > 0) throw new Violation(`${server.roomCount} rooms are left`)
    if (server.pendingTimers > timersMax(world))
      throw new Violation(`${server.pendingTimers} timers are left in an empty server`)
  }
  const stopping = world.servers.all.map(server => server.stop())
  await clock.runFor(10_000)
  if (world.servers.all.some(({ isOver }) => !isOver)) throw new Violation('a server does not stop')
  await Promise.all(stopping)
  await world.servers.inspect('at the end')
}

/** The heartbeat, the store's tidying after quiet, and the worker's end; of a node its poll as well, and its two beats. */
function timersMax({ fleet }: World): number {
  return fleet === null ? 3 : 6
}
