/** A store in PostgreSQL: what became of a batch whose reply was lost, where rows are gone or lives have ended since. */
import type { Client } from 'pg'
import { beforeEach, describe, expect, test } from 'vitest'
import { bytesOf, labelOf } from '../../../persistence/conformance-tools.ts'
import { postgresMissing } from '../../support/services/postgres.ts'
import { postgresPlaces } from '../../support/services/postgres-places.ts'

const mebibyte = 1024 * 1024

describe.skipIf(postgresMissing !== null)('a store in PostgreSQL', () => {
  const place = postgresPlaces()
  let client: Client
  beforeEach(async () => {
    client = await place.sql()
  })

  const entry = (document: string, label: string) => ({ document, record: bytesOf(label) })
  const rowsOf = async (table: string) =>
    (await client.query(`SELECT FROM ${place.schema}.${table}`)).rowCount

  test('of a batch whose reply was lost, what had no row is written to a new one', async () => {
    const store = await place.open()
    await store.append([entry('a', 'one'), entry('b', 'one'), entry('c', 'one')])
    // As in a database that was put back: what this store knows of rows is of another time.
    await client.query(`DELETE FROM ${place.schema}.documents WHERE name = 'b'`)
    await client.query(
      `UPDATE ${place.schema}.documents SET hash = '\\x00', name = 'another' WHERE name = 'c'`
    )

    const answers = await place.losing('chorus-append', () =>
      store.append([entry('a', 'two'), entry('b', 'two'), entry('c', 'two')])
    )

    expect(answers).toMatchObject([
      { outcome: 'written', sequence: 2 },
      { outcome: 'written', sequence: 1 },
      { outcome: 'written', sequence: 1 }
    ])
    expect((await store.load('b')).records.map(({ record }) => labelOf(record))).toEqual(['two'])
    expect((await store.load('c')).records.map(({ record }) => labelOf(record))).toEqual(['two'])
  })

  test('what was written, and deleted before that was found out, is gone, a seed too', async () => {
    const store = await place.open()
    const other = await place.open({}, place.postgres.port)
    await store.append([entry('a', 'one')])
    const { incarnation } = await store.load('a')
    const batch = [
      { ...entry('a', 'two'), incarnation },
      { ...entry('b', 'seed'), ifHead: 0 },
      entry('c', 'one')
    ]

    const answers = await place.losing(
      'chorus-append',
      () => store.append(batch),
      async () => {
        for (const name of ['a', 'b', 'c']) await other.delete(name)
        await other.append([entry('b', 'another life')])
      }
    )

    expect(answers).toMatchObject([{ outcome: 'gone' }, { outcome: 'gone' }, { outcome: 'gone' }])
    expect((await store.load('b')).records.map(({ record }) => labelOf(record))).toEqual(['another life'])
  })

  test('what is set aside is written in parts, comes back whole, and goes with all its parts', async () => {
    const store = await place.open()
    for (const [table, column] of [
      ['set_aside', 'body'],
      ['set_aside_parts', 'bytes']
    ]) {
      await client.query(
        `ALTER TABLE ${place.schema}.${table} ADD CHECK (length(${column}) <= ${8 * mebibyte})`
      )
    }
    const large = (byte: number) =>
      new Uint8Array(20 * mebibyte).fill(byte).map((each, i) => each ^ (i >> 12))
    const aside = (bytes: Uint8Array) => ({ author: null, timeMs: 1, reason: 'why', bytes })

    for (let byte = 1; byte <= 4; byte++) await store.setAside('a', aside(large(byte)))
    await store.setAside('a', aside(bytesOf('small')))

    // 64 MiB are kept: the first made room.
    const kept = await store.listSetAside('a')
    expect(kept.map(({ number, bytes }) => [number, bytes.length])).toEqual([
      ...[2, 3, 4].map(number => [number, 20 * mebibyte]),
      [5, bytesOf('small').length]
    ])
    expect(Buffer.from(kept[0]?.bytes ?? []).equals(large(2))).toBe(true)
    expect(await rowsOf('set_aside_parts')).toBe(6)
    expect(await store.dropSetAside('a', 3)).toBe(true)
    expect(await rowsOf('set_aside_parts')).toBe(4)
  })

  test('an entry whose parts were removed before it was there is none', async () => {
    const store = await place.open()
    await client.query(`
      CREATE FUNCTION ${place.schema}.lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER lose BEFORE INSERT ON ${place.schema}.set_aside_parts FOR EACH ROW EXECUTE FUNCTION ${place.schema}.lose()`)
    const entry = { author: null, timeMs: 1, reason: 'why', bytes: new Uint8Array(9 * mebibyte) }

    await expect(store.setAside('a', entry)).rejects.toMatchObject({ code: 'STORE_FAILED' })

    expect(await store.listSetAside('a')).toEqual([])
  })

  test('parts of what was never set aside whole are removed, and others stay', async () => {
    const store = await place.open()
    await store.setAside('a', { author: null, timeMs: 1, reason: 'why', bytes: new Uint8Array(9 * mebibyte) })
    await client.query(
      `INSERT INTO ${place.schema}.set_aside_parts (token, part, bytes) VALUES ('lost', 1, 'x')`
    )

    await place.open({ graceMs: 0, collectEveryMs: 1 })
    while ((await rowsOf('set_aside_parts')) !== 1) await new Promise(resolve => setTimeout(resolve, 5))

    expect((await store.listSetAside('a'))[0]?.bytes.length).toBe(9 * mebibyte)
  })
})
