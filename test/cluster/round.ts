/**
 * One fault, while people type at every node: two documents, writers of both dialects at each door. Those of the first stay,
 * and go on through the fault. Those of the second are gone for good the moment it strikes: what they were told or have
 * seen must be in the store without them. Times are measured for whoever reads them; none is judged.
 */
import { expect } from 'vitest'
import { createServer } from '../../src/server.ts'
import { connect, synced, until, untilAsync } from '../support/clients.ts'
import type { Cluster } from '../support/cluster.ts'
import { quietLog } from '../support/server.ts'
import { type Counts, openWriter, readWords, type Writer } from '../support/writer.ts'
import * as Y from 'yjs'

export type Round = {
  readonly random: () => number
  /** Those who stay. At each door: a y-websocket client and a provider. */
  readonly writers: readonly Writer[]
  /** The fault has begun: the second document's writers leave. */
  struck(): void
  /** Resolves when everybody has seen a word of everybody that was typed after the call. */
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
}

const eachRoom = { stay: 6, leave: 6 } as const
let rounds = 0

/** Rejects with what was lost, doubled or out of order. */
export async function runRound(cluster: Cluster, fault: Fault, random: () => number): Promise<Figures> {
  const number = ++rounds
  const [staying, leaving] = [`round ${number} stays`, `round ${number} leaves`]
  const open = (room: string, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const url = `http://127.0.0.1:${cluster.doors[(i >> 1) % 3]?.port}`
      return openWriter({ url, room, name: `${String.fromCharCode(97 + i)}${number}` }, i + number * 2)
    })
  const stayers = open(staying, eachRoom.stay)
  const leavers = open(leaving, eachRoom.leave)
  const all = [...stayers, ...leavers]
  try {
    await until(() => all.every(each => each.isSynced()), 'everybody synced')
    const isOver = { stayers: false, leavers: false }
    const typing = Promise.all([
      ...stayers.map(each => typeOn(each, random, () => isOver.stayers)),
      ...leavers.map(each => typeOn(each, random, () => isOver.leavers))
    ])
    await until(() => all.every(each => each.acknowledged() >= 3), 'everybody had words acknowledged')
    await crossed(stayers)
    await crossed(leavers)

    let owed: Counts | null = null
    const typingAgain = stopwatch(stayers)
    const struck = () => {
      owed = owedTo(leavers)
      isOver.leavers = true
      for (const each of leavers) each.leave()
      typingAgain.start()
    }
    await fault.run(cluster, { random, writers: stayers, struck, crossed: () => crossed(stayers) })
    if (owed === null) throw new Error(`${fault.name}: it never struck`)
    const endMs = performance.now()
    await crossed(stayers)
    const crossingMs = performance.now() - endMs
    isOver.stayers = true
    await typing

    await settle(stayers)
    for (const each of stayers) expect(each.wrong(), `wrong at ${each.name}`).toEqual([])
    const total = new Map(stayers.map(each => [each.name, each.typed()]))
    await checkEverywhere(cluster, staying, counts => expect(counts).toEqual(total))
    await checkEverywhere(cluster, leaving, counts => {
      if (fault.isLossOfStore !== true) expect(lacking(owed as unknown as Counts, counts)).toEqual([])
    })
    return { words: sumOf(total), typingMs: await typingAgain.read(), crossingMs }
  } finally {
    for (const each of all) if (!leavers.includes(each) || each.doc.isDestroyed !== true) each.leave()
  }
}

/** A few words in quick succession, then as long as it takes to hear that they are saved, within reason. */
async function typeOn(writer: Writer, random: () => number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    for (let i = 0; i < 4 && !isOver(); i++) {
      writer.type()
      await pause(20 + random() * 40)
    }
    if (isOver()) return
    const typed = writer.typed()
    const untilMs = performance.now() + 300
    void writer.ask()
    while (!isOver() && writer.acknowledged() < typed && performance.now() < untilMs) await pause(10)
  }
}

/** All of them have seen a word of all of them that none had typed yet. */
async function crossed(writers: readonly Writer[]): Promise<void> {
  const marks = writers.map(each => ({ name: each.name, typed: each.typed() }))
  const lags = () =>
    writers.flatMap(each =>
      marks.filter(({ name, typed }) => (each.seen().get(name) ?? 0) <= typed).map(({ name }) => `${name} at ${each.name}`)
    )
  await until(() => lags().length === 0, 'new words of everybody at everybody').catch(error => {
    throw new Error(`${String(error)}; missing: ${lags().join(', ')}`)
  })
}

/** Everything is acknowledged, and all documents are equal. */
async function settle(writers: readonly Writer[]): Promise<void> {
  for (const each of writers) {
    await untilAsync(async () => {
      await each.ask()
      return each.acknowledged() === each.typed()
    }, `everything of ${each.name} acknowledged`)
  }
  const states = () => new Set(writers.map(({ doc }) => Buffer.from(Y.encodeStateAsUpdate(doc)).toString('base64')))
  await until(() => states().size === 1, 'all documents equal')
}

/** What each node sends somebody new, and what the log has, read by a server that has seen nothing yet. */
async function checkEverywhere(cluster: Cluster, room: string, check: (counts: Counts) => void): Promise<void> {
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

function sumOf(counts: Counts): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
