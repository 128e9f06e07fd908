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
