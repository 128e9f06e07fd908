/** A history on one PostgreSQL that is read through one node while another one writes, compacts and seals it. */
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createServer, type Server } from '../../src/index.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { postgresFor } from './checkpoint-nodes.ts'

const secondMs = 1_000
/** Between a record's own time and when this test knows of it. */
const slackMs = 1_000

const limits = {
  compactionBytesMin: 500,
  compactionLookMs: 20,
  historySegmentUpdatesMax: 10,
  historyMergedChangesMax: 40,
  historyKeyframeBytesMin: 1_000
}

describe.skipIf(postgresMissing !== null)('a history on PostgreSQL', () => {
  const place = postgresFor('history_reads')

  async function node(nodeName: string): Promise<{ server: Server; url: string }> {
    const settings = { pages: null, limits, history: [{ documents: '**' }] }
    const server = createServer({ data: place.address, port: 0, nodeName, ...settings })
    onTestFinished(() => server.stop())
    return { server, url: await server.listen() }
  }

  test(`read through one node while another seals, is what was written at each record (SEED=${seed})`, async () => {
    const [writing, reading] = [await node('writing'), await node('reading')]
    const random = randomOf(seed)
    /** How long the text was after each record, and when that was written. */
    const written = new Map<number, { readonly length: number; readonly timeMs: number }>()
    const write = async () => {
      const type = (doc: Y.Doc) => doc.getText('t').insert(0, 'x'.repeat(40))
      await writing.server.change('d', type, { author: 'ann' })
      const { head } = await writing.server.history('d').extent()
      written.set(head, { length: 40 * (written.size + 1), timeMs: Date.now() })
    }
    await write()
    let isOver = false
    let reads = 0
    const look = async () => {
      while (!isOver) {
        const known = [...written]
        const [sequence, then] = known[Math.floor(random() * known.length)] ?? [0, { length: 0, timeMs: 0 }]
        const doc = new Y.Doc()
        Y.applyUpdate(doc, await reading.server.history('d').at({ sequence }))
        const { length } = doc.getText('t')
        // What one author did within a second may be one step once it is sealed; nothing older is missing.
        const certain = known.findLast(([, { timeMs }]) => timeMs < then.timeMs - secondMs - slackMs)
        expect(length, `at record ${sequence}`).toBeLessThanOrEqual(then.length)
        expect(length, `at record ${sequence}`).toBeGreaterThanOrEqual(certain?.[1].length ?? 0)
        reads++
      }
    }
    const looking = Promise.all([look(), look()])
    // Whoever compacts a document seals it.
    try {
      while ((await sealedBy(writing)) + (await sealedBy(reading)) < 4 || reads < 40) {
        await Promise.race([write(), looking])
      }
    } finally {
      isOver = true
    }
    await looking

    const { holes, beginsAt } = await reading.server.history('d').extent()
    expect({ holes, begins: beginsAt.sequence }).toEqual({ holes: [], begins: 0 })
  }, 120_000)
})

async function sealedBy({ url }: { url: string }): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  return Number(/^chorus_history_segments_total (\d+)/m.exec(metrics)?.[1] ?? 0)
}
