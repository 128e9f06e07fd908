/**
 * A document whose bytes are few and whose structs take Yjs hours to integrate: it costs those who use it, and nobody
 * else. Others are done while it is still being worked on; `node bench/hostile-document.js` measures their delay.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import type { Limits } from '../../src/base/limits.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import type { Server } from '../../src/server.ts'
import { untilAsync } from '../support/clients.ts'
import { hugeWorkMs, workMsOf } from '../support/cpu.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { hostileUpdate } from '../support/hostile-update.ts'
import { openRaw, updateFrame, updatesOf } from '../support/raw.ts'
import { startServer, temporaryDirectory } from '../support/server.ts'
import { textOf, textUpdate } from '../support/text.ts'

/** Compacted at 10 kB; half a second in the quick lane, and hours in the long one if a test does not say otherwise. */
const limits: Partial<Limits> = {
  compactionBytesMin: 10_000,
  quickJobMs: 500,
  compactionDeadlineMs: 3_600_000
}

const hostile = hostileUpdate(50_000)

async function meter(server: Server, name: string): Promise<number> {
  const lines = (await server.metrics()).split('\n')
  return Number(lines.find(line => line.startsWith(`${name} `))?.slice(name.length + 1) ?? 0)
}

const failures = (server: Server) => meter(server, 'chorus_compactions_total{outcome="failed"}')
const written = (server: Server) => meter(server, 'chorus_compactions_total{outcome="written"}')
const uncompacted = (server: Server) => meter(server, 'chorus_uncompacted_documents')

/** Writes the hostile document as a client, who stays. */
async function writeHostile({ url }: { url: string }) {
  const raw = await openRaw({ url, path: 'hostile' })
  raw.send(updateFrame(hostile))
  await raw.ask()
  return raw
}

/** A document of some hundred kB, of which a diff takes a worker; all of it is by the client 1. */
function largeDocument(): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = 1
  doc.transact(() => {
    for (let i = 0; i < 20_000; i++) doc.getArray('a').insert(0, [`item number ${i}`])
  })
  return doc
}

/** Each kind of thing that people do with other documents, to its end; `round` names what it writes. */
async function workOfOthers(server: Server, round: number): Promise<void> {
  const before = await written(server)
  const compaction = server
    .apply(`room ${round}`, textUpdate('x'.repeat(20_000)))
    .then(() => untilAsync(async () => (await written(server)) > before, 'the compaction'))
  const joiner = await openRaw({ url: server.url, path: 'large' })
  const lacking = Uint8Array.of(1, 1, 0x80 | round, 10)
  await Promise.all([
    compaction,
    joiner.ask(lacking),
    server.read('large', { stateVector: lacking }),
    server.change('large', doc => doc.getText('t').insert(0, `${round} `))
  ])
  joiner.socket.terminate()
}

describe('a document that takes Yjs hours to integrate', () => {
  test('keeps no other compaction, join, read or change waiting until it is done', async () => {
    const store = createMemoryStore()
    await storeDocument(store, 'large', largeDocument())
    await compacted(store, 'large')
    const server = await startServer({ store, limits })
    await workOfOthers(server, 1)

    const user = await writeHostile(server)
    const before = await written(server)
    await workOfOthers(server, 2)

    // What was compacted is the other one: the hostile one is under way for an hour yet.
    expect(await written(server)).toBe(before + 1)
    // Those who use it are served as before.
    const another = await openRaw({ url: server.url, path: 'hostile' })
    await another.ask()
    expect(updatesOf(another).map(update => scanUpdate(update).structs.length)).toContain(2)
    expect([user.closeCode(), await failures(server)]).toEqual([null, 0])
  })

  test('is remembered, over a restart too, told of, and not tried at once again', async () => {
    const data = join(temporaryDirectory(), 'd')
    const short = { ...limits, quickJobMs: 200, compactionDeadlineMs: 400 }
    const first = await startServer({ data, limits: short })
    await writeHostile(first)
    await untilAsync(async () => (await failures(first)) > 0, 'the compaction to fail')
    const ready = await fetch(`${first.url}/readyz`)
    expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'ready', uncompacted: 1 }])
    await first.stop()

    const second = await startServer({ data, limits: short })
    const atOnce = await uncompacted(second)
    const user = await openRaw({ url: second.url, path: 'hostile' })
    await user.ask()
    user.send(updateFrame(textUpdate('x'.repeat(20_000))))
    await user.ask()
    await second.apply('room', textUpdate('x'.repeat(20_000)))
    await untilAsync(async () => (await written(second)) > 0, 'the compaction of another document')

    expect([atOnce, await uncompacted(second), await failures(second)]).toEqual([1, 1, 0])
    expect(updatesOf(user).map(update => update.length)).toContain(hostile.length)
  })

  test('is tried again after its time, and forgotten when that succeeds or it is deleted', async () => {
    const data = join(temporaryDirectory(), 'd')
    const doc = largeDocument()
    const first = await startServer({ data, limits: { ...limits, quickJobMs: 1, compactionDeadlineMs: 1 } })
    await first.apply('large', Y.encodeStateAsUpdate(doc))
    await first.apply('deleted', Y.encodeStateAsUpdate(doc))
    await untilAsync(async () => (await uncompacted(first)) === 2, 'both compactions to fail')
    await first.delete('deleted')
    expect(await uncompacted(first)).toBe(1)
    await first.stop()

    const second = await startServer({ data, limits: { ...limits, compactionRetryMs: 0 } })
    const before = await uncompacted(second)
    await second.apply('large', textUpdate('x'))
    await untilAsync(async () => (await written(second)) > 0, 'the compaction')

    expect([before, await uncompacted(second)]).toEqual([1, 0])
  })
})

describe('server.change of a document that takes Yjs long to integrate', () => {
  test('rejects, is not worked on in the event loop, and keeps no other call waiting', async () => {
    const server = await startServer({ limits: { quickJobMs: 500 } })
    // In the event loop this would be minutes of work: 72 KB of the kind were 22 s.
    await server.apply('hostile', hostileUpdate(10_000))
    let calls = 0
    const loop = performance.eventLoopUtilization()
    const mutate = (doc: Y.Doc) => {
      calls++
      doc.getText('t').insert(0, 'x')
    }

    const hostileCalls = [1, 2, 3].map(() => server.change('hostile', mutate))
    const refused = hostileCalls.map(each => expect(each).rejects.toMatchObject({ code: 'ERR_DEADLINE' }))
    await server.change('room', mutate)
    await Promise.all(refused)
    const { active } = performance.eventLoopUtilization(loop)

    expect([calls, textOf(await server.read('room'))]).toEqual([1, 'x'])
    expect(active).toBeLessThan(hugeWorkMs)
  })

  test('is not tried in a worker where it is small, and then holds nobody for long', async () => {
    const server = await startServer()
    await server.apply('hostile', hostileUpdate(250))

    const workMs = await workMsOf(() => server.change('hostile', doc => doc.getText('t').insert(0, 'x')))

    expect(workMs).toBeLessThan(hugeWorkMs)
  })

  test('large documents that are none of that kind are changed', async () => {
    const server = await startServer()
    await server.apply('large', Y.encodeStateAsUpdate(largeDocument()))

    await server.change('large', doc => doc.getArray('a').push(['last']))

    const doc = new Y.Doc()
    Y.applyUpdate(doc, (await server.read('large')) ?? new Uint8Array())
    expect(doc.getArray('a').length).toBe(20_001)
  })
})
