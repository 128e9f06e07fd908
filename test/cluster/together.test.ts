/**
 * Three servers on one PostgreSQL, over a bus that loses, doubles and delays: they seed, write, compact, delete and begin
 * again at the same moment, by chance. What was acknowledged in a life of a document is in it, once; nothing else is.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryBroker } from '../../bus/index.ts'
import { barrier, until, untilAsync } from '../support/clients.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'
import { client, joined, type Node, startNodes, type, words } from './checkpoint-nodes.ts'

console.log(`several nodes at once: SEED=${seed}`)

const rounds = Number(process.env.ROUNDS ?? 6)
const limits = {
  headsPollMs: 100,
  compactionBytesMin: 4_000,
  compactionLookMs: 20,
  compactionRecordsAtClose: 5,
  roomIdleMs: 200
}

describe.skipIf(postgresMissing !== null)('several nodes on PostgreSQL at once', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())

  test(`[C5] lose nothing and double nothing (SEED=${seed})`, async () => {
    const random = randomOf(seed)
    const at = (length: number) => Math.floor(random() * length)
    let seeds = 0
    const load = () => {
      const doc = new Y.Doc()
      doc.getText('t').insert(0, `seed${++seeds} `)
      return Y.encodeStateAsUpdate(doc)
    }
    const faults = { loss: 0.3, repetition: 0.2, delayMinMs: 0, delayMaxMs: 30 }
    const nodes = await startNodes(
      postgres.url('together'),
      createMemoryBroker({ random: randomOf(seed + 1), faults }),
      [0, 1, 2].map(() => ({ limits, load }))
    )
    const any = () => nodes[at(nodes.length)] as Node

    /** What clients of any nodes write in one life, and the application through one; all of it acknowledged. */
    async function write(
      round: number
    ): Promise<{ clients: ReturnType<typeof client>[]; written: string[] }> {
      const clients = Array.from({ length: 3 + at(3) }, () => client(any(), 'x'))
      const written: string[] = []
      const writing = clients.map(async (each, i) => {
        for (let word = 0; word < 15; word++) {
          const name = `r${round}c${i}w${word}${'.'.repeat(at(200))}`
          type(each, `${name} `)
          written.push(name)
          if (random() < 0.5) await barrier(each).catch(() => {})
        }
      })
      const applying = Array.from({ length: 4 }, async (_, i) => {
        const doc = new Y.Doc()
        doc.getText('t').insert(0, `r${round}a${i} `)
        written.push(`r${round}a${i}`)
        await any().server.apply('x', Y.encodeStateAsUpdate(doc))
      })
      await Promise.all([...writing, ...applying])
      return { clients, written }
    }

    /** What a client that comes to the node now finds. */
    async function found(node: Node): Promise<string[]> {
      const reader = await joined(node, 'x')
      const all = words(reader)
      reader.destroy()
      return all
    }

    for (let round = 0; round < rounds; round++) {
      const { clients, written } = await write(round)
      const isWhole = (all: readonly string[]) => written.every(word => all.includes(word))
      await until(
        () => clients.every(each => isWhole(words(each))),
        `SEED=${seed}: all words of round ${round}`
      )
      for (const node of nodes) {
        await untilAsync(async () => isWhole(await found(node)), `SEED=${seed}: all words on each node`)
        const all = await found(node)
        expect(all.filter(word => !word.startsWith('seed')).toSorted(), `SEED=${seed}`).toEqual(
          written.toSorted()
        )
        expect(all.filter(word => word.startsWith('seed')).length, `SEED=${seed}: seeds`).toBe(1)
      }

      // Some go on writing while one or two nodes delete; the next round begins at once.
      const late = clients.slice(0, 2).map(async (each, i) => {
        for (let word = 0; word < 5; word++) type(each, `late${round}-${i}-${word} `)
      })
      await Promise.all([...Array.from({ length: 1 + at(2) }, () => any().server.delete('x')), ...late])
      await until(
        () => clients.every(({ codes }) => codes.some(code => code === 4404 || code === 4410)),
        `SEED=${seed}: told`
      )
      for (const each of clients) each.destroy()
    }
    expect(nodes.reduce((sum, { written }) => sum + written.length, 0)).toBeGreaterThan(0)
  })
})
