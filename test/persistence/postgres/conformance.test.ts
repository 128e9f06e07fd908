/** The conformance suite and the randomised model over a real PostgreSQL. */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { runModel, type StorePlace, selectCases } from '../../../persistence/conformance.ts'
import { openPostgresStore, type PostgresStoreOptions } from '../../../persistence/postgres/postgres-store.ts'
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

  test.each(selectCases(['persistence', 'writers', 'history']))('$name', ({ run }) => run(place()))

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

  test('random calls with one lane, and what was replaced collected beside them', async () => {
    await runModel({
      seed: seed + 1,
      calls: 80,
      place: place({ lanes: 1, graceMs: 2_000, collectEveryMs: 10 })
    })
  })
})
