/** A checkpoint of what a database had before it was put back: it must not replace what was written since. */
import { expect, onTestFinished, test } from 'vitest'
import { openPostgresStore } from '../../../persistence/postgres/postgres-store.ts'
import { postgresMissing, startPostgres } from '../../support/services/postgres.ts'

const bytes = (text: string) => Buffer.from(text)

test.skipIf(postgresMissing !== null)(
  'a checkpoint of records that the database no longer has is superseded, and what has their numbers now stays',
  async () => {
    const postgres = await startPostgres()
    onTestFinished(() => postgres.stop())
    const open = async () => {
      const store = await openPostgresStore(postgres.url('back'))
      onTestFinished(() => store.close())
      return store
    }
    const compacting = await open()
    const write = async (store: typeof compacting, text: string) => {
      const [answer] = await store.append([{ document: 'd', record: bytes(text) }])
      expect(answer?.outcome).toBe('written')
    }
    await write(compacting, 'one')
    const dump = await postgres.dump('back')
    await write(compacting, 'two, lost')
    const { incarnation, records } = await compacting.load('d')
    await postgres.query(`DROP SCHEMA back CASCADE;\n${dump}`)
    const other = await open()
    await write(other, 'two')

    const written = await compacting.checkpoint({
      document: 'd',
      incarnation,
      base: null,
      replaces: records.map(({ sequence }) => sequence),
      through: records.at(-1)?.identity ?? null,
      meta: bytes('meta'),
      segments: [bytes('one and two, lost')]
    })

    expect(written).toEqual({ outcome: 'superseded' })
    const found = await other.load('d')
    expect(found.records.map(({ record }) => Buffer.from(record).toString())).toEqual(['one', 'two'])
  }
)

test.skipIf(postgresMissing !== null)(
  'an attempt at a checkpoint has a number of its own, also when the database was put back meanwhile',
  async () => {
    const postgres = await startPostgres()
    onTestFinished(() => postgres.stop())
    const open = async () => {
      const store = await openPostgresStore(postgres.url('again'))
      onTestFinished(() => store.close())
      return store
    }
    const compact = async (store: Awaited<ReturnType<typeof open>>) => {
      const { incarnation, records } = await store.load('d')
      const replaces = records.map(({ sequence }) => sequence)
      const segments = [bytes('one')]
      return store.checkpoint({
        document: 'd',
        incarnation,
        base: null,
        replaces,
        meta: bytes('meta'),
        segments
      })
    }
    const before = await open()
    await before.append([{ document: 'd', record: bytes('one') }])
    const dump = await postgres.dump('again')
    const first = await compact(before)
    await postgres.query(`DROP SCHEMA again CASCADE;\n${dump}`)

    const second = await compact(before)

    expect([first.outcome, second.outcome]).toEqual(['written', 'written'])
    expect(second).not.toEqual(first)
  }
)
