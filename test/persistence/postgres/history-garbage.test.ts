/** Histories in PostgreSQL: what is removed of them and of the records they need, when, and by which servers. */
import type { Client } from 'pg'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  blobLabels,
  historyOf,
  lifeOf,
  mergeAll,
  needed,
  write,
  written
} from '../../../persistence/conformance-history-tools.ts'
import { appendLabels, assertSeen, bytesOf, overwrite } from '../../../persistence/conformance-tools.ts'
import type { PostgresStoreOptions } from '../../../persistence/postgres/postgres-store.ts'
import { untilAsync } from '../../support/clients.ts'
import { postgresMissing } from '../../support/services/postgres.ts'
import { postgresPlaces } from '../../support/services/postgres-places.ts'

const mebibyte = 1024 * 1024

describe.skipIf(postgresMissing !== null)('a store in PostgreSQL', () => {
  const place = postgresPlaces()
  let client: Client
  beforeEach(async () => {
    client = await place.sql()
  })

  const open = (options: PostgresStoreOptions = {}, port = place.postgres.port) => place.open(options, port)
  const sql = async (text: string, values: unknown[] = []) =>
    (await client.query(text.replaceAll('$s', place.schema), values)).rows
  const rowsOf = async (table: string) => (await sql(`SELECT count(*)::int AS n FROM $s.${table}`))[0]?.n
  const sequences = async () =>
    (await sql('SELECT sequence FROM $s.records ORDER BY 1')).map(({ sequence }) => Number(sequence))

  /** Another server has collected everything of which the grace is over. */
  async function collected(): Promise<void> {
    const collector = await open({ graceMs: 0, collectEveryMs: 1 })
    await untilAsync(
      async () => (await rowsOf('garbage')) + (await rowsOf('history_garbage')) === 0,
      'the collector'
    )
    await collector.close()
  }

  test('what a checkpoint has replaced is collected once the history has let it go, and what is pinned later', async () => {
    const store = await open()
    await appendLabels(store, 'other', 'a', 'b')
    await mergeAll(store, 'other')
    await appendLabels(store, 'a', '1', '2', '3', '4')
    await written(store, { document: 'a' })
    await mergeAll(store, 'a')
    await collected()
    expect(await needed(store, 'a')).toEqual(['(1)', '(2)', '(3)', '(4)'])
    expect(await rowsOf('records')).toBe(4)

    await written(store, { document: 'a', releasedTo: 3, pins: [2] })
    await collected()
    expect(await sequences()).toEqual([2, 4])

    await appendLabels(store, 'a', '5')
    await written(store, { document: 'a', releasedTo: 5 })
    await collected()
    expect(await sequences()).toEqual([5])
    await mergeAll(store, 'a')
    await collected()
    expect(await sequences()).toEqual([])
  })

  test('the collector of an older server removes nothing that a history needs', async () => {
    const store = await open()
    await appendLabels(store, 'a', '1', '2', '3')
    const from = await store.load('a')
    await overwrite(store, { document: 'a', from, segments: [bytesOf('m')], replaces: [1, 3] })
    await written(store, { document: 'a', checkpoint: (await store.load('a')).checkpoint?.generation ?? 0 })
    await appendLabels(store, 'a', '4', '5')
    await mergeAll(store, 'a')
    await appendLabels(store, 'b', 'one')
    await mergeAll(store, 'b')

    await collectAsVersion2()

    expect(await needed(store, 'a')).toEqual(['(2)', '(4)', '(5)'])
    expect(await sequences()).toEqual([1, 2, 3, 4, 5])
    await collected()
    expect(await sequences()).toEqual([2, 4, 5])
    await store.delete('a')
    await collectAsVersion2()
    expect(await sequences()).toEqual([])
    await collected()
    for (const table of ['histories', 'history_blobs', 'history_parts']) expect(await rowsOf(table)).toBe(0)
  })

  /** The statements of version 2 as they were, each until there is nothing left. */
  async function collectAsVersion2(): Promise<void> {
    for (const { id, document, generation_to, sequence_to } of await sql('SELECT * FROM $s.garbage')) {
      await sql('UPDATE $s.documents SET collected_to = greatest(collected_to, $2::bigint) WHERE id = $1', [
        document,
        generation_to
      ])
      await sql(
        `DELETE FROM $s.records r USING (
           SELECT x.document, x.sequence FROM $s.records x JOIN $s.documents d ON d.id = x.document
           WHERE x.document = $1 AND x.sequence <= $2 AND (NOT x.kept OR x.sequence <= d.floor)
           ORDER BY x.sequence LIMIT 2000) AS step
         WHERE r.document = step.document AND r.sequence = step.sequence`,
        [document, sequence_to]
      )
      await sql('DELETE FROM $s.garbage WHERE id = $1', [id])
    }
  }

  test('tables of version 2 are changed while a server of that version goes on', async () => {
    const older = await open({ collectEveryMs: 3_600_000 })
    await appendLabels(older, 'a', '1', '2')
    await sql(`DROP TABLE $s.histories, $s.history_blobs, $s.history_parts, $s.history_garbage, $s.marks;
      DROP FUNCTION $s.note_for_history CASCADE; DROP INDEX $s.garbage_document; UPDATE $s.format SET version = 2`)
    await mergeAll(older, 'a')

    const newer = await open()
    await appendLabels(older, 'a', '3')
    await written(newer, { document: 'a' })
    await mergeAll(older, 'a', 'by the older one')

    expect(await needed(newer, 'a')).toEqual(['(3)'])
    await assertSeen(newer, 'a', { checkpoint: ['by the older one'], records: [] })
    await older.delete('a')
    expect(await historyOf(newer).read('a')).toBeNull()
  })

  test('of an attempt that a crash has ended nothing stays, and the history is as it was', async () => {
    const store = await open()
    await appendLabels(store, 'a', 'one')
    await written(store, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('stays', 9 * mebibyte) }] })
    const crashing = await open({ patienceMs: 1 }, place.proxy.port)
    place.proxy.holdRepliesTo('FOR SHARE')
    const held = place.proxy.heldReply()
    const writing = write(crashing, {
      document: 'a',
      blobs: [{ number: 2, bytes: bytesOf('goes', 20 * mebibyte) }]
    })
    await held
    place.proxy.refuse()
    await expect(writing).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(await rowsOf('history_parts')).toBeGreaterThan(3)

    await collected()

    expect(await rowsOf('history_parts')).toBe(3)
    expect(await blobLabels(store, 'a', [1, 2])).toEqual(['stays', null])
    await written(store, { document: 'a', blobs: [{ number: 2, bytes: bytesOf('again') }] })
    expect(await blobLabels(store, 'a', [1, 2])).toEqual(['stays', 'again'])
  })

  test('an attempt that has outlasted the grace is not taken, and leaves nothing', async () => {
    const store = await open({}, place.proxy.port)
    await appendLabels(store, 'a', 'one')
    place.proxy.holdRepliesTo('coalesce(history, attempt)')
    const held = place.proxy.heldReply()
    const writing = write(store, {
      document: 'a',
      blobs: [{ number: 1, bytes: bytesOf('late', 20 * mebibyte) }]
    })
    await held
    await collected()
    place.proxy.cutAndOpen()
    // The statement whose reply was lost is sent again, as another attempt.
    expect((await writing).outcome).toBe('written')
    await collected()
    expect(await rowsOf('history_parts')).toBe(4)

    place.proxy.holdRepliesTo('FOR SHARE')
    const heldAgain = place.proxy.heldReply()
    const tooLate = write(store, {
      document: 'a',
      blobs: [{ number: 2, bytes: bytesOf('late', 20 * mebibyte) }]
    })
    await heldAgain
    await collected()
    place.proxy.cutAndOpen()

    await expect(tooLate).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await collected()
    expect(await rowsOf('history_parts')).toBe(4)
    expect(await blobLabels(store, 'a', [1, 2])).toEqual(['late', null])
  })

  test('blobs that a write drops, and the manifest it replaces, are collected', async () => {
    const store = await open()
    await appendLabels(store, 'a', 'one')
    const blobs = [1, 2, 3].map(number => ({ number, bytes: bytesOf(`${number}`) }))
    await written(store, { document: 'a', manifest: bytesOf('first', 9 * mebibyte), blobs })
    await written(store, { document: 'a', manifest: bytesOf('second'), drops: [1, 3] })

    await collected()

    expect(await blobLabels(store, 'a', [1, 2, 3])).toEqual([null, '2', null])
    expect(await rowsOf('history_parts')).toBe(2)
    expect(await rowsOf('history_blobs')).toBe(2)
  })

  test.each(['dropped', 'deleted'])(
    'a history that was %s is collected, and what follows it stays',
    async how => {
      const store = await open()
      await appendLabels(store, 'a', '1', '2')
      const blobs = Array.from({ length: 150 }, (_, index) => ({ number: index + 1, bytes: bytesOf('x') }))
      await written(store, { document: 'a', blobs })
      await mergeAll(store, 'a')
      if (how === 'dropped') await historyOf(store).drop('a', await lifeOf(store, 'a'))
      else await store.delete('a')
      await appendLabels(store, 'a', '3')
      await written(store, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('next') }] })

      await collected()

      expect(await sequences()).toEqual([3])
      expect(await needed(store, 'a')).toEqual(['3'])
      expect(await blobLabels(store, 'a', [1, 2])).toEqual(['next', null])
      for (const table of ['histories', 'history_blobs', 'history_parts']) {
        expect(await rowsOf(table)).toBe(table === 'histories' ? 1 : 2)
      }
    }
  )

  test('begun after checkpoints, what they have left in the log is needed, and nothing that they have replaced', async () => {
    const store = await open()
    await appendLabels(store, 'a', '1', '2', '3', '4')
    const from = await store.load('a')
    await overwrite(store, { document: 'a', from, segments: [bytesOf('m')], replaces: [1, 3, 4] })
    await written(store, { document: 'a', releasedTo: 1 })
    expect(await needed(store, 'a')).toEqual(['2'])

    await mergeAll(store, 'a')
    await collected()

    expect(await needed(store, 'a')).toEqual(['(2)'])
    expect(await sequences()).toEqual([2])
    await written(store, { document: 'a', releasedTo: 4, pins: [2] })
    await collected()
    expect(await sequences()).toEqual([2])
    await written(store, { document: 'a', releasedTo: 4, pins: [] })
    await collected()
    expect(await sequences()).toEqual([])
  })

  test('hiding and releasing records rewrites none of them', async () => {
    const store = await open()
    const entries = Array.from({ length: 5_000 }, () => ({ document: 'a', record: bytesOf('x') }))
    await store.append(entries)
    const rows = () => sql('SELECT sequence, ctid, xmin, xmax FROM $s.records ORDER BY 1')
    const before = await rows()

    await written(store, { document: 'a' })
    await mergeAll(store, 'a')
    await written(store, { document: 'a', releasedTo: 5_000, pins: [7, 4_000] })

    expect(await rows()).toEqual(before)
    await collected()
    expect(await sequences()).toEqual([7, 4_000])
  })
})
