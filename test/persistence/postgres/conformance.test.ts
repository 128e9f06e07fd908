/** The conformance suite and the randomised model over a real PostgreSQL. */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { runModel, type StorePlace, selectCases } from '../../../persistence/conformance.ts'
import { openPostgresStore, type PostgresStoreOptions } from '../../../persistence/postgres/postgres-store.ts'
import { startLink } from '../../support/link.ts'
import { randomOf } from '../../support/random.ts'
import { seed } from '../../support/seed.ts'
import { type Postgres, postgresMissing, startPostgres } from '../../support/services/postgres.ts'

console.log(`postgres model: SEED=${seed}`)

describe.skipIf(postgresMissing !== null)('a store in PostgreSQL', () => {
  let postgres: Postgres
  let places = 0
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())

  const place = (options: PostgresStoreOptions = {}): StorePlace => {
    const url = postgres.url(`place_${++places}`)
    return { open: () => openPostgresStore(url, options) }
  }

  test.each(selectCases(['persistence', 'writers', 'history', 'marks']))('$name', ({ run }) => run(place()))

  test('random calls against the memory store', async () => {
    await runModel({ seed, calls: 80, place: place() })
  })

  test('random calls, some of them about histories', async () => {
    await runModel({ seed: seed + 2, calls: 80, place: place(), histories: 0.5 })
  })

  test('random calls about histories, and what they let go collected beside them', async () => {
    const collecting = place({ graceMs: 2_000, collectEveryMs: 10 })
    await runModel({ seed: seed + 3, calls: 120, place: collecting, histories: 0.5 })
  })

  test('random calls over a link that loses requests and replies', async () => {
    const link = await startLink(() => [postgres.port])
    const url = postgres.url(`place_${++places}`, link.port)
    const random = randomOf(seed + 4)
    let isOver = false
    const faults = async () => {
      while (!isOver) {
        if (random() < 0.5) link.stall(random() < 0.7 ? 'down' : 'up')
        await new Promise(resolve => setTimeout(resolve, random() * 200))
        link.cut()
        link.flow()
        await new Promise(resolve => setTimeout(resolve, random() * 500))
      }
    }
    const failing = faults()

    await runModel({
      seed: seed + 4,
      calls: 80,
      place: { open: () => openPostgresStore(url) },
      histories: 0.4
    })

    isOver = true
    await failing
    link.close()
  })

  test('random calls with one lane, and what was replaced collected beside them', async () => {
    await runModel({
      seed: seed + 1,
      calls: 80,
      place: place({ lanes: 1, graceMs: 2_000, collectEveryMs: 10 })
    })
  })
})
