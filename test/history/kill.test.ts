/**
 * A server that is killed while it seals what people type. Whatever it was doing, the history goes on: each moment is what
 * the document was, and every character is in it once. CHORUS_LONG=1 does it twenty times.
 */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { openStore } from '../../persistence/index.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { openTimeline } from '../../src/history/segment.ts'
import { type Client, connect, synced, untilAsync } from '../support/clients.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
import { spawnServer, temporaryDirectory } from '../support/server.ts'
import { checkBlobs, createKeeping } from './keeping.ts'

const rounds = process.env.CHORUS_LONG === '1' ? 20 : 3
const room = 'notes'

const limits = {
  ...{ compactionBytesMin: 1_500, compactionRatio: 0.05, historySegmentBytesMax: 700 },
  ...{ historyKeyframeBytesMin: 400, historyKeyframeRatio: 0, historyMergedChangesMax: 40 }
}

test(`${rounds} kills while histories are sealed leave each moment as it was (SEED=${seed})`, {
  timeout: 60_000 + rounds * 20_000
}, async () => {
  const random = randomOf(seed)
  const data = temporaryDirectory()
  const given = Object.entries(limits).flatMap(([name, value]) => ['--limit', `${name}=${value}`])
  const args = ['--port', '0', '--data', data, '--history', '**', ...given]
  let typed = 0
  for (let round = 0; round < rounds; round++) {
    const server = await spawnServer(args)
    const client = connect(server.url, room)
    await synced(client)
    const stop = typing(client, () => `${typed++} `)
    await untilAsync(() => hasSealed(server.url), 'a sealed segment')
    await new Promise(resolve => setTimeout(resolve, random() * 1_000))
    await server.kill()
    stop()
    client.destroy()
    await check(data)
  }
})

async function hasSealed(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/metrics`)
  return /history_segments_total [1-9]/.test(await answer.text())
}

/** Numbers, one after the other; whoever has seen the end of the text goes on behind it. */
function typing({ doc }: Client, next: () => string): () => void {
  const text = doc.getText('t')
  const timer = setInterval(() => text.insert(text.length, next()), 3)
  return () => clearInterval(timer)
}

async function check(data: string): Promise<void> {
  const store = await openStore(data, { create: false })
  onTestFinished(() => store.close())
  const keeping = createKeeping({ store, random: randomOf(1) })
  const { manifest, incarnation } = await keeping.kept(room)
  const [head] = await store.heads([{ document: room }])
  const texts: string[] = []
  for (let sequence = manifest.beginsAt.sequence; sequence <= (head?.head ?? 0); sequence++) {
    texts.push(textOf((await keeping.at(room, sequence)) as Uint8Array))
  }
  await checkBlobs(store, room, manifest, incarnation)
  await everyClockOnce(keeping, manifest, incarnation)
  await store.close()

  expect(manifest).toMatchObject({ holes: [], waiting: [] })
  expect(manifest.segments.length).toBeGreaterThan(0)
  for (const [index, text] of texts.entries())
    expect(text.startsWith(texts[index - 1] ?? ''), `seed ${seed}`).toBe(true)
  expect(new Set(texts).size).toBeGreaterThan(20)
}

async function everyClockOnce(
  keeping: ReturnType<typeof createKeeping>,
  { segments }: { segments: readonly { readonly timeline: { blob: number; bytes: number } }[] },
  incarnation: string
): Promise<void> {
  const seen = new ClockRuns()
  for (const { timeline } of segments) {
    const [bytes] = await keeping.histories.kept.blobs(room, incarnation, [timeline])
    for (const { inserted } of openTimeline({ timeline: bytes as Uint8Array }).changes) {
      for (const range of inserted) {
        expect(seen.touches(range), `seed ${seed}`).toBe(false)
        seen.add(range.client, range.clock, range.length)
      }
    }
  }
  expect(seen.hasGaps).toBe(false)
}

function textOf(update: Uint8Array): string {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc.getText('t').toString()
}
