/** Edits of agents on one node of a PostgreSQL, while people type on another: the check and the commit are one step. */
import { describe, expect, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import { openStore } from '../../persistence/index.ts'
import { race } from '../documents/edit-races.ts'
import { buildParts, busFor } from '../support/inside.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { postgresFor } from './checkpoint-nodes.ts'

console.log(`test/cluster/edits.test.ts: SEED=${seed}`)

describe.skipIf(postgresMissing !== null)('a race of an agent and a person on two nodes', () => {
  const place = postgresFor('edit_races')

  test('never writes over what the person has changed', async () => {
    const broker = createMemoryBroker()
    const { address } = place
    const stores = [await openStore(address), await openStore(address)] as const
    const [agents, people] = [
      buildParts(stores[0], {}, busFor(stores[0], broker, 'edits')),
      buildParts(stores[1], {}, busFor(stores[1], broker, 'edits'))
    ]
    const rounds = Number(process.env.ROUNDS ?? 40)
    const total = { written: 0, refused: 0, stale: 0 }
    const random = randomOf(seed)
    for (let done = 0; done < rounds; done += 20) {
      const document = `race ${done}`
      const found = await race({ store: stores[0], agents, people }, { document, rounds: 20, random })
      for (const key of ['written', 'refused', 'stale'] as const) total[key] += found[key]
    }

    console.log(`races on two nodes: ${JSON.stringify(total)}`)
    expect(total.stale).toBe(0)
    expect(total.written).toBeGreaterThan(0)
    expect(total.refused).toBeGreaterThan(0)
  }, 1_200_000)
})
