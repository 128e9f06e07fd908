/**
 * Three nodes as processes on a real PostgreSQL, with histories and small limits, while people type and nodes and the
 * database are killed amid sealing. In the end each history, read through every node, holds each acknowledged word once, and
 * ends with the document as it is. `CHORUS_LONG=1` goes on for a minute.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client as Database } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { connect, synced, until, untilAsync } from '../support/clients.ts'
import { brokers, type Cluster, type ClusterNode, startCluster } from '../support/cluster.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { openWriter, readWords, type Writer } from '../support/writer.ts'

const forMs = process.env.CHORUS_LONG === '1' ? 60_000 : 0
const strikesMin = 4
const rooms = ['a', 'b']
const schema = 'histories'
const token = 'an admin token of this test, long enough'

const limits = {
  compactionBytesMin: 2_000,
  compactionLookMs: 50,
  compactionLeaseMs: 2_000,
  historySegmentUpdatesMax: 20,
  historyMergedChangesMax: 100,
  historyKeyframeBytesMin: 3_000
}

describe.skipIf(postgresMissing !== null || brokers.redis.path === null)('histories of three nodes', () => {
  let cluster: Cluster
  const directory = mkdtempSync(join(tmpdir(), 'chorus-histories-'))
  beforeAll(async () => {
    const file = join(directory, 'token')
    writeFileSync(file, token)
    cluster = await startCluster({
      broker: 'redis',
      schema,
      args: [
        ...['--history', '**', '--admin-token-file', file],
        ...Object.entries(limits).flatMap(([name, value]) => ['--limit', `${name}=${value}`])
      ]
    })
    await cluster.mend()
  })
  afterAll(async () => {
    await cluster?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test(`whoever seals is killed, and PostgreSQL too, again and again: nothing is missing, nothing is twice (SEED=${seed})`, {
    timeout: 240_000 + 3 * forMs
  }, async () => {
    const random = randomOf(seed)
    const writers = rooms.flatMap((room, r) =>
      cluster.doors.map(({ port }, door) =>
        openWriter({ url: `http://127.0.0.1:${port}`, room, name: `${room}${door}` }, 3 * r + door)
      )
    )
    let isOver = false
    const typing = Promise.all(writers.map(writer => typeOn(writer, random, () => isOver)))

    const endMs = performance.now() + forMs
    let strikes = 0
    for (; strikes < strikesMin || performance.now() < endMs; strikes++) {
      await allTyped(writers, 15)
      if (random() < 0.3) await killDatabase(cluster)
      else await killSealer(cluster, random)
    }
    await allTyped(writers, 15)
    isOver = true
    await typing
    for (const writer of writers) await allAcknowledged(writer)

    for (const room of rooms) {
      const typed = new Map(
        writers.flatMap(each => (each.name[0] === room ? [[each.name, each.typed()]] : []))
      )
      for (const node of cluster.nodes) await checkHistory(node, room, typed)
    }
    const { sealed, attempts } = await shownBy(cluster)
    console.log(`${strikes} strikes, ${sealed} segments, ${attempts} attempts came to nothing`)
    expect(sealed).toBeGreaterThan(rooms.length)
    for (const writer of writers) writer.leave()
  })
})

/** A few words in quick succession, then as long as it takes to hear that they are saved, within reason. */
async function typeOn(writer: Writer, random: () => number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    for (let i = 0; i < 4 && !isOver(); i++) {
      writer.type()
      await pause(5 + random() * 20)
    }
    const typed = writer.typed()
    const untilMs = performance.now() + 300
    void writer.ask()
    while (!isOver() && writer.acknowledged() < typed && performance.now() < untilMs) await pause(5)
  }
}

/** Everybody has heard that so many words more are saved. */
async function allTyped(writers: readonly Writer[], count: number): Promise<void> {
  const marks = writers.map(each => each.acknowledged() + count)
  await until(
    () => writers.every((each, i) => each.acknowledged() >= (marks[i] ?? 0)),
    'what people type to be saved'
  )
}

async function allAcknowledged(writer: Writer): Promise<void> {
  await untilAsync(async () => {
    await writer.ask()
    return writer.acknowledged() === writer.typed()
  }, `everything of ${writer.name} acknowledged`)
}

async function killDatabase({ postgres }: Cluster): Promise<void> {
  await untilSealing(postgres.port)
  await postgres.kill()
  await postgres.start()
}

/** The node that has sealed most of late, while somebody seals. */
async function killSealer({ nodes, postgres }: Cluster, random: () => number): Promise<void> {
  const before = await Promise.all(nodes.map(sealedBy))
  let busiest: ClusterNode | undefined
  await untilAsync(async () => {
    const now = await Promise.all(nodes.map(sealedBy))
    const grown = now.map((count, i) => count - (before[i] ?? 0))
    busiest = nodes[grown.indexOf(Math.max(...grown))]
    return Math.max(...grown) > 0
  }, 'a node to seal')
  await untilSealing(postgres.port)
  await pause(random() * 20)
  await busiest?.kill()
  await busiest?.start()
}

async function sealedBy(node: ClusterNode): Promise<number> {
  const text = await (await fetch(`${node.url()}/metrics`)).text()
  return Number(/^chorus_history_segments_total(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1] ?? 0)
}

/** A write of a history has begun and is not taken yet. */
async function untilSealing(port: number): Promise<void> {
  const database = new Database({ connectionString: `postgres://chorus@127.0.0.1:${port}/postgres` })
  await database.connect()
  const text = `SELECT 1 FROM ${schema}.history_garbage WHERE NOT is_taken AND made > now() - interval '1 second'`
  while ((await database.query(text)).rowCount === 0) await pause(1)
  await database.end()
}

/** What the node says of the past: at its end it is what a newcomer is shown, and each word was inserted once. */
async function checkHistory(
  node: ClusterNode,
  room: string,
  typed: ReadonlyMap<string, number>
): Promise<void> {
  const newcomer = connect(node.url(), room)
  await synced(newcomer)
  const update = await asked(node, `${room}/history/at?time=${Date.now() + 1_000}`)
  const then = new Y.Doc({ gc: false })
  Y.applyUpdate(then, new Uint8Array(await update.arrayBuffer()))

  expect(readWords(then)).toEqual({ counts: typed, wrong: [] })
  expect(then.getArray('words').toArray()).toEqual(newcomer.doc.getArray('words').toArray())
  expect(Y.encodeStateVector(then)).toEqual(Y.encodeStateVector(newcomer.doc))
  newcomer.destroy()

  const { holes } = (await (await asked(node, `${room}/history`)).json()) as { readonly holes: unknown }
  expect(holes, `holes of ${room}`).toEqual([])
  const { bursts } = (await (await asked(node, `${room}/history/activity`)).json()) as {
    readonly bursts: readonly { readonly inserted: number }[]
  }
  const inserted = bursts.reduce((sum, burst) => sum + burst.inserted, 0)
  expect(inserted, `words in the history of ${room}`).toBe([...typed.values()].reduce((a, b) => a + b, 0))
}

async function asked(node: ClusterNode, path: string): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(`${node.url()}/api/documents/${path}`, { headers })
  if (response.ok) return response
  throw new Error(`${path}: ${response.status} ${await response.text()}`)
}

async function shownBy({ nodes, postgres }: Cluster): Promise<{ sealed: number; attempts: number }> {
  const counts = await Promise.all(nodes.map(sealedBy))
  const attempts = await postgres.query(`SELECT count(*) FROM ${schema}.history_garbage WHERE NOT is_taken`)
  return { sealed: counts.reduce((a, b) => a + b, 0), attempts: Number(attempts) }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
