/** Hostile bytes over the Hocuspocus dialect: the offender is closed or ignored, its memory bounded, nobody else notices. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startBystanders } from '../support/bystanders.ts'
import { until } from '../support/clients.ts'
import { provide, saved } from '../support/hocuspocus.ts'
import { authFrame, openHocuspocus, step1Frame, updateFrameOf } from '../support/raw-hocuspocus.ts'
import { seed } from '../support/seed.ts'
import { spawnServer, startServer } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'

const recorded = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../vectors/hocuspocus.json'), 'utf8')) as {
    vectors: { from: string; frame: string; closes?: number }[]
  }
).vectors.filter(({ from, closes }) => from === 'client' && closes === undefined)

describe('messages', () => {
  test(`[HP15] random and mutated ones end with a typed code or are taken (SEED=${seed})`, async () => {
    const random = randomFrom(seed)
    const { url } = await startServer({
      limits: { refusalDelayMs: 1, refusalDelayMsMax: 1, refusalMemoryMs: 1 }
    })
    const bystanders = await startBystanders(url, 'doc1')
    const codes = new Map<number, number>()

    for (let i = 0; i < 300; i++) {
      const client = await openHocuspocus(url, i % 3 === 0 ? 'some/path' : '')
      const frames = Array.from({ length: 1 + Math.floor(random() * 3) }, () => randomFrame(random))
      client.raw.send(authFrame('doc1', 'tok'), ...frames)
      // A room of its own, whose join or whose end tells what became of it.
      const outcome = await client.join('own').then(
        () => 0,
        () => client.raw.closeCode() ?? -1
      )
      codes.set(outcome, (codes.get(outcome) ?? 0) + 1)
      const sent = frames.map(frame => Buffer.from(frame).toString('hex')).join(' ')
      expect([0, 4400, 4500], `SEED=${seed} message ${i}: ${sent}`).toContain(outcome)
      client.raw.socket.terminate()
    }

    await bystanders.unharmed()
    expect(codes.get(4400)).toBeGreaterThan(20)
    expect(codes.get(0)).toBeGreaterThan(20)
  })
})

describe('one process of little memory', () => {
  const start = async () => {
    const server = await spawnServer(['--port', '0', '--data', ':memory:', '--log-level', 'silent'], {
      env: { NODE_OPTIONS: '--max-old-space-size=160' }
    })
    const friend = provide(server.url, 'friend', { token: 'tok' })
    await saved(friend)
    return { server, friend }
  }

  const stillFine = async ({ server, friend }: Awaited<ReturnType<typeof start>>) => {
    friend.doc.getText('t').insert(0, 'x')
    await saved(friend)
    expect(server.process.exitCode).toBeNull()
  }

  test('[HP3, HP16] ten thousand rooms on one socket are 500, and giant addresses are refused', async () => {
    const started = await start()
    const client = await openHocuspocus(started.server.url)

    for (let i = 0; i < 10_000; i++) client.raw.send(authFrame(`room ${i}`, ''), step1Frame(`room ${i}`))
    const denied = () => client.said().filter(({ what }) => what.startsWith('denied: too many')).length
    // Taking all of them apart takes a while: not before there can be enough.
    await until(() => client.raw.frames.length >= 19_000 && denied() === 19_000, 'the refusals')
    const giant = 'x'.repeat(1_000_000)
    const other = await openHocuspocus(started.server.url)
    for (let i = 0; i < 20; i++) other.raw.send(authFrame(`${giant}${i}`, ''))
    expect(await other.raw.closed()).toBe(4400)

    expect(await rssOf(started.server.url)).toBeLessThan(700e6)
    await stillFine(started)
  })

  test('[HP16] floods before authentication end before they fill the memory', async () => {
    const started = await start()
    const payload = new Uint8Array(60_000)

    const codes = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const { raw } = await openHocuspocus(started.server.url)
        for (let sent = 0; sent < 200; sent++) raw.send(updateFrameOf(`room ${i}`, payload))
        return raw.closed()
      })
    )

    expect(new Set(codes)).toEqual(new Set([1013]))
    expect(await rssOf(started.server.url)).toBeLessThan(700e6)
    await stillFine(started)
  })
})

async function rssOf(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1])
}

function randomFrame(random: () => number): Uint8Array {
  const integer = (below: number) => Math.floor(random() * below)
  if (random() < 0.2) return Uint8Array.from({ length: integer(60) }, () => integer(256))
  const bytes = Buffer.from(recorded[integer(recorded.length)]?.frame ?? '', 'hex')
  for (let mutations = integer(3); mutations > 0 && bytes.length > 0; mutations--) {
    // Mostly behind the address, or few would get any further.
    bytes[Math.min(bytes.length - 1, 5 + integer(bytes.length))] = integer(256)
  }
  return random() < 0.2 ? bytes.subarray(0, integer(bytes.length + 1)) : bytes
}
