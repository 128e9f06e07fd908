/**
 * One fault, while people type at every node, in three documents. In the first, writers of both dialects at each door go on
 * through the fault. Those of the second are gone for good the moment it strikes: what they were told or have seen must be
 * in the store without them. In the third, one types at one door and another only reads at the next, so that nothing but
 * the nodes' own care brings it there. Everybody has presence, and in the first document some leave when the fault strikes.
 * Times are measured for whoever reads them.
 */
import { expect } from 'vitest'
import * as Y from 'yjs'
import { createServer } from '../../src/server.ts'
import { connect, synced, until, untilAsync } from '../support/clients.ts'
import type { Cluster } from '../support/cluster.ts'
import { quietLog } from '../support/server.ts'
import { type Counts, openWriter, readWords, type Writer } from '../support/writer.ts'
import { checkPresenceOfNewcomers, untilPresenceIsRight } from './round-presence.ts'

export type Round = {
  readonly random: () => number
  /** What the second document's writers have been told and have seen until now is not lost, even where the store goes back. */
  kept(): void
  /** The fault has begun: the second document's writers leave. To be called once. */
  struck(): void
  /** Resolves when everybody who is left has seen new words of everybody. */
  crossed(): Promise<void>
}

export type Fault = {
  readonly name: string
  /** What the writers who left were told is lost with the store's latest state; what was before `kept` is there. */
  readonly isLossOfStore?: true
  /** Resolves when everything runs again. */
  run(cluster: Cluster, round: Round): Promise<void>
}

/** Milliseconds, on this machine, now. */
export type Figures = {
  readonly words: number
  /** From the strike until everybody who stayed had a new word acknowledged: half of them, all of them. */
  readonly typingMs: readonly [number, number]
  /** From the end of the fault until everybody had seen a new word of everybody. */
  readonly crossingMs: number
  /** From the end of the fault until everybody saw everybody who is there, as they are, and nobody else. */
  readonly presenceMs: number
}

/** Who is in one document. */
type Group = {
  readonly room: string
  readonly writers: readonly Writer[]
  readonly readers: readonly Writer[]
  /** Seen by the others until the fault strikes. */
  readonly visitors: readonly Writer[]
}

let rounds = 0

/** Rejects with what was lost, doubled or out of order. */
export async function runRound(cluster: Cluster, fault: Fault, random: () => number): Promise<Figures> {
  const number = ++rounds
  const groups = openGroups(cluster, number)
  const { staying, leaving, watched } = groups
  const remaining = [staying, watched]
  const isOver = new Set<Group>()
  let hasEnded = false
  try {
    const everybody = [staying, leaving, watched].flatMap(group => [...everybodyIn(group), ...group.visitors])
    await until(() => everybody.every(each => each.isSynced()), 'everybody synced')
    for (const each of everybody) each.present()
    for (const group of [staying, leaving, watched]) {
      await untilPresenceIsRight([...everybodyIn(group), ...group.visitors], group.room)
    }
    const typing = Promise.all(
      [staying, leaving, watched].flatMap(group =>
        group.writers.map(each =>
          typeOn(each, random, { isOver: () => isOver.has(group), isPresent: () => !hasEnded })
        )
      )
    )
    await Promise.all([staying, leaving, watched].map(crossed))

    let kept: Counts = new Map()
    let owed: Counts | null = null
    const typingAgain = stopwatch(staying.writers)
    const struck = () => {
      owed = owedTo(leaving.writers)
      isOver.add(leaving)
      leave(leaving)
      for (const visitor of staying.visitors) visitor.leave()
      typingAgain.start()
    }
    const bothCrossed = async () => void (await Promise.all(remaining.map(crossed)))
    const keep = () => {
      kept = owedTo(leaving.writers)
    }
    await fault.run(cluster, { random, kept: keep, struck, crossed: bothCrossed })
    const endMs = performance.now()
    // What they have said of themselves until now is to be seen: nothing is said again.
    hasEnded = true
    const presence = Promise.all(
      remaining.map(group => untilPresenceIsRight(everybodyIn(group), group.room))
    ).then(() => performance.now() - endMs)
    // Awaited below; what is lost says more.
    presence.catch(() => {})
    await bothCrossed()
    const crossingMs = performance.now() - endMs
    for (const group of remaining) isOver.add(group)
    await typing

    await Promise.all(remaining.map(settle))
    for (const { room, writers } of remaining) {
      const total = new Map(writers.map(each => [each.name, each.typed()]))
      await checkEverywhere(cluster, room, counts => expect(counts).toEqual(total))
    }
    await checkEverywhere(cluster, leaving.room, counts => {
      if (owed === null) throw new Error(`${fault.name}: it never struck`)
      expect(lacking(fault.isLossOfStore === true ? kept : owed, counts)).toEqual([])
    })
    const presenceMs = await presence
    for (const { room, writers, readers } of remaining) {
      await checkPresenceOfNewcomers(cluster, room, [...writers, ...readers])
    }
    await checkPresenceOfNewcomers(cluster, leaving.room, [])
    const words = remaining.flatMap(({ writers }) => writers).reduce((sum, each) => sum + each.typed(), 0)
    return { words, typingMs: await typingAgain.read(), crossingMs, presenceMs }
  } finally {
    for (const group of [staying, leaving, watched]) {
      isOver.add(group)
      leave(group)
    }
  }
}

function openGroups(cluster: Cluster, number: number) {
  const urlOf = (door: number) => `http://127.0.0.1:${cluster.doors[door % 3]?.port}`
  const nameOf = (i: number) => `${String.fromCharCode(97 + i)}${number}`
  const open = (room: string, door: number, i: number) =>
    openWriter({ url: urlOf(door), room, name: nameOf(i) }, i + 2 * number)
  const crowd = (room: string): Group => {
    const writers = Array.from({ length: 6 }, (_, i) => open(room, i >> 1, i))
    return { room, writers, readers: [], visitors: [] }
  }
  const room = `round ${number} is watched`
  const watched: Group = {
    room,
    writers: [open(room, number, 0)],
    readers: [open(room, number + 1, 1)],
    visitors: []
  }
  const stays = crowd(`round ${number} stays`)
  const visitors = [0, 1, 2].map(door => open(stays.room, door, 6 + door))
  return { staying: { ...stays, visitors }, leaving: crowd(`round ${number} leaves`), watched }
}

function everybodyIn({ writers, readers }: Group): Writer[] {
  return [...writers, ...readers]
}

function leave(group: Group): void {
  for (const each of [...everybodyIn(group), ...group.visitors]) each.leave()
}

/** A few words in quick succession, with what they say of themselves, then as long as it takes to hear that they are saved, within reason. */
async function typeOn(
  writer: Writer,
  random: () => number,
  { isOver, isPresent }: { isOver(): boolean; isPresent(): boolean }
): Promise<void> {
  while (!isOver()) {
    for (let i = 0; i < 4 && !isOver(); i++) {
      writer.type()
      await pause(20 + random() * 40)
    }
    if (isPresent()) writer.present()
    if (isOver()) return
    const typed = writer.typed()
    const untilMs = performance.now() + 300
    void writer.ask()
    while (!isOver() && writer.acknowledged() < typed && performance.now() < untilMs) await pause(10)
  }
}

/** All of them have seen words of all writers that none had typed yet. */
async function crossed(group: Group): Promise<void> {
  const marks = group.writers.map(each => ({ name: each.name, typed: each.typed() }))
  const lags = () =>
    everybodyIn(group).flatMap(each =>
      marks
        .filter(({ name, typed }) => (each.seen().get(name) ?? 0) <= typed)
        .map(({ name }) => ({ name, each }))
    )
  await until(() => lags().length === 0, 'new words of everybody at everybody').catch(error => {
    const states = everybodyIn(group).map(each => `${each.name} ${stateOf(each)}`)
    const missing = lags().map(({ name, each }) => `${name} at ${each.name}`)
    throw new Error(`${String(error)}; in ${group.room}: ${missing.join(', ')}; ${states.join(', ')}`)
  })
}

function stateOf(writer: Writer): string {
  const connection = writer.isSynced() ? 'synced' : 'not synced'
  // Yjs has something that it cannot show before something else has come.
  const pending = writer.doc.store.pendingStructs === null ? '' : ', something before it is missing'
  return `(${connection}, typed ${writer.typed()}, acknowledged ${writer.acknowledged()}${pending})`
}

/** Everything is acknowledged, all documents are equal, and nobody was shown anything wrong on the way. */
async function settle(group: Group): Promise<void> {
  for (const each of group.writers) {
    await untilAsync(async () => {
      await each.ask()
      return each.acknowledged() === each.typed()
    }, `everything of ${each.name} acknowledged`)
  }
  const everybody = everybodyIn(group)
  const contentOf = ({ doc }: Writer) => Buffer.from(Y.encodeStateAsUpdate(doc)).toString('base64')
  await until(() => new Set(everybody.map(contentOf)).size === 1, `all documents equal in ${group.room}`)
  for (const each of everybody) expect(each.wrong(), `wrong at ${each.name} in ${group.room}`).toEqual([])
}

/** What each node sends somebody new, and what the log has, read by a server that has seen nothing yet. */
async function checkEverywhere(
  cluster: Cluster,
  room: string,
  check: (counts: Counts) => void
): Promise<void> {
  const log = await readStore(cluster, room)
  expect(log.wrong, `wrong in the log of ${room}`).toEqual([])
  check(log.counts)
  for (const node of cluster.nodes) {
    const reader = connect(node.url(), room)
    await synced(reader)
    const { counts, wrong } = readWords(reader.doc)
    reader.destroy()
    expect(wrong, `wrong on node ${node.name}`).toEqual([])
    // Shown is what is in the log; nobody types any more.
    expect(counts, `on node ${node.name}, beside the log`).toEqual(log.counts)
    check(counts)
  }
}

async function readStore(cluster: Cluster, room: string) {
  const server = createServer({ log: quietLog, pages: null, data: cluster.data, authorize: 'none' })
  await server.listen()
  try {
    const update = await server.read(room)
    const doc = new Y.Doc()
    if (update !== null) Y.applyUpdate(doc, update)
    return readWords(doc)
  } finally {
    await server.stop()
  }
}

/** The most that anybody was told, or has seen, of each author. */
function owedTo(writers: readonly Writer[]): Counts {
  const owed = new Map<string, number>()
  const owe = (name: string, count: number) => owed.set(name, Math.max(owed.get(name) ?? 0, count))
  for (const writer of writers) {
    owe(writer.name, writer.acknowledged())
    for (const [name, count] of writer.seen()) if (name !== writer.name) owe(name, count)
  }
  return owed
}

function lacking(owed: Counts, found: Counts): string[] {
  return [...owed]
    .filter(([name, count]) => (found.get(name) ?? 0) < count)
    .map(([name, count]) => `${name}: ${found.get(name) ?? 0} of ${count}`)
}

/** How long it took each until a word typed after the start was acknowledged. */
function stopwatch(writers: readonly Writer[]) {
  const took: Promise<number>[] = []
  return {
    start: () => {
      const startMs = performance.now()
      for (const writer of writers) {
        const typed = writer.typed()
        const again = until(() => writer.acknowledged() > typed, `${writer.name} types again`, 300_000)
        // Read at the end; a round that fails says why itself.
        again.catch(() => {})
        took.push(again.then(() => performance.now() - startMs))
      }
      for (const each of took) each.catch(() => {})
    },
    read: async (): Promise<[number, number]> => {
      const sorted = (await Promise.all(took)).toSorted((a, b) => a - b)
      return [sorted[sorted.length >> 1] ?? 0, sorted.at(-1) ?? 0]
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
