/** What a store in PostgreSQL does when replies are lost, PostgreSQL dies, stands still, or is put back. */
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { bytesOf, labelOf, overwrite, sequencesOf } from '../../../persistence/conformance-tools.ts'
import { openPostgresStore } from '../../../persistence/postgres/postgres-store.ts'
import type { StoreReport } from '../../../persistence/reports.ts'
import { type AppendEntry, type Store, StoreError } from '../../../persistence/store.ts'
import { postgresMissing } from '../../support/services/postgres.ts'
import { postgresPlaces } from '../../support/services/postgres-places.ts'

describe.skipIf(postgresMissing !== null)('a store in PostgreSQL', () => {
  // What the store acknowledges is on disk all the same: the statements say so.
  const place = postgresPlaces({ synchronous_commit: 'off' })

  const labels = async (store: Store, document: string) =>
    (await store.load(document)).records.map(({ record }) => labelOf(record))

  test('finds out what became of an append whose reply was lost', async () => {
    const store = await place.open()
    await store.append([entry('a', 'one'), entry('b', 'one'), entry('c', 'one')])
    const { incarnation } = await store.load('c')
    await store.delete('c')
    const ended = { ...entry('c', 'late'), incarnation }
    const seed = { ...entry('b', 'seed'), ifHead: 0 }

    place.proxy.holdRepliesTo('chorus-append')
    const held = place.proxy.heldReply()
    const appending = store.append([entry('a', 'two'), seed, ended, entry('d', 'new'), entry('a', 'three')])
    await held
    place.proxy.cutAndOpen()

    expect(await appending).toMatchObject([
      { outcome: 'written', sequence: 2 },
      { outcome: 'conflict', head: 1 },
      { outcome: 'gone' },
      { outcome: 'written', sequence: 1 },
      { outcome: 'written', sequence: 3 }
    ])
    expect(await labels(store, 'a')).toEqual(['one', 'two', 'three'])
    expect(await labels(store, 'd')).toEqual(['new'])
    expect((await store.append([entry('a', 'four')]))[0]).toMatchObject({ sequence: 4 })
  })

  test('finds out what became of a checkpoint, a deletion and a set-aside entry whose replies were lost', async () => {
    const store = await place.open()
    await store.append([entry('a', 'one')])
    const losing = async <T>(text: string, call: () => Promise<T>) => {
      place.proxy.holdRepliesTo(text)
      const held = place.proxy.heldReply()
      const calling = call()
      await held
      place.proxy.cutAndOpen()
      return calling
    }
    const from = await store.load('a')

    const written = await losing('switched AS', () =>
      overwrite(store, { document: 'a', from, segments: [bytesOf('merged')] })
    )
    expect(written.outcome).toBe('written')
    expect((await store.load('a')).checkpoint?.segments.map(labelOf)).toEqual(['merged'])

    const aside = { author: null, timeMs: 1, reason: 'why', bytes: bytesOf('x') }
    await losing('ON CONFLICT (token)', () => store.setAside('a', aside))
    expect((await store.listSetAside('a')).length).toBe(1)

    const buried = { timeMs: 1, bytes: bytesOf('buried') }
    expect(await losing('ended AS', () => store.delete('a', { tombstone: buried }))).toBe(true)
    expect(await store.load('a')).toMatchObject({ incarnation: null, tombstone: { timeMs: 1 } })
    expect(await store.delete('a')).toBe(false)
  })

  test.each([
    ['made', 'ON CONFLICT (hash) DO NOTHING', null, 'one'],
    ['changed', 'SET value = $3', 'zero', 'one'],
    ['removed', 'AND value = $2 RETURNING', 'zero', null]
  ])('metadata that is %s while the reply is lost was swapped', async (_, text, present, value) => {
    const store = await place.open()
    const bytes = (label: string | null) => (label === null ? null : bytesOf(label))
    await store.writeMetadata('k', bytes(present))

    place.proxy.holdRepliesTo(text)
    const held = place.proxy.heldReply()
    const swapping = store.swapMetadata('k', bytes(present), bytes(value))
    await held
    place.proxy.cutAndOpen()

    expect(await swapping).toBe(true)
    expect(await store.readMetadata('k')).toEqual(bytes(value))
    expect(await store.swapMetadata('k', bytesOf('other'), bytesOf('two'))).toBe(false)
  })

  test('a silent connection is given up, and the batch is written once', async () => {
    const reports: StoreReport[] = []
    const store = await place.open({
      statementMs: 1_000,
      onReport: report => {
        reports.push(report)
        if (report.kind === 'database-away') place.proxy.cutAndOpen()
      }
    })
    await store.append([entry('a', 'one')])

    place.proxy.silence()
    const answers = await store.append([entry('a', 'two')])

    expect(sequencesOf(answers)).toEqual([2])
    expect(await labels(store, 'a')).toEqual(['one', 'two'])
    expect(reports.map(({ kind }) => kind).slice(0, 2)).toEqual(['database-away', 'database-back'])
  })

  test('a statement that takes too long is tried again, and others are not held up', async () => {
    const blocker = await place.sql()
    const store = await place.open({
      statementMs: 2_000,
      lanes: 2,
      onReport: ({ kind }) => {
        if (kind === 'database-away') void blocker.query('ROLLBACK')
      }
    })
    await store.append([entry('a', 'one'), entry('b', 'one')])
    await blocker.query('BEGIN')
    await blocker.query(`SELECT FROM ${place.schema}.documents WHERE name = 'a' FOR UPDATE`)

    const order: string[] = []
    const blocked = store.append([entry('a', 'two')]).then(answers => {
      order.push('a')
      return answers
    })
    await store.append([entry('b', 'two')]).then(() => order.push('b'))

    expect(sequencesOf(await blocked)).toEqual([2])
    expect(order).toEqual(['b', 'a'])
  })

  test('a batch that cannot be resolved in its time is rejected; later ones go another way', async () => {
    const store = await place.open({ statementMs: 5_000, patienceMs: 3_000, lanes: 1 })
    await store.append([entry('a', 'one')])

    place.proxy.refuse()
    await expect(store.append([entry('a', 'two')])).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(store.probe()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    place.proxy.cutAndOpen()

    expect(await store.load('a')).toBeTruthy()
    const [answer] = await store.append([entry('a', 'three')])
    expect(answer?.outcome).toBe('written')
    const found = await labels(store, 'a')
    expect([found[0], found.at(-1)]).toEqual(['one', 'three'])
  })

  test('SIGKILL of PostgreSQL amid the appends of two stores: each is there once, in order', async () => {
    const [left, right] = [
      await place.open({}, place.postgres.port),
      await place.open({}, place.postgres.port)
    ]
    const acknowledged: { document: string; label: string; sequence: number }[] = []
    let isOver = false
    const write = async (store: Store, name: string) => {
      for (let i = 0; !isOver; i++) {
        const documents = ['a', 'b', `only ${name}`]
        const label = `${name} ${i}`
        const sequences = sequencesOf(await store.append(documents.map(document => entry(document, label))))
        for (const [at, document] of documents.entries()) {
          acknowledged.push({ document, label, sequence: sequences[at] ?? 0 })
        }
      }
    }
    const writing = [write(left, 'left'), write(right, 'right')]
    for (let round = 1; round <= 2; round++) {
      const before = acknowledged.length
      while (acknowledged.length < before + 40) await new Promise(resolve => setImmediate(resolve))
      await place.postgres.kill()
      await place.postgres.start()
    }
    isOver = true
    await Promise.all(writing)

    for (const document of ['a', 'b', 'only left', 'only right']) {
      const { records } = await left.load(document)
      const expected = acknowledged.filter(each => each.document === document)
      const inOrder = expected.sort((x, y) => x.sequence - y.sequence)
      expect(records.map(({ record }) => labelOf(record))).toEqual(inOrder.map(({ label }) => label))
      expect(records.map(({ sequence }) => sequence)).toEqual(records.map((_, index) => index + 1))
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(80)
  }, 120_000)

  test('an entry that PostgreSQL does not take fails alone', async () => {
    const store = await place.open()
    await store.append([entry('a', 'one')])
    const client = await place.sql()
    await client.query(`ALTER TABLE ${place.schema}.records ADD CHECK (length(record) < 1000)`)
    const large = { document: 'c', record: bytesOf('large', 2000) }

    const answers = await store.append([entry('a', 'two'), entry('b', 'two'), large, entry('d', 'two')])

    expect(answers.map(({ outcome }) => outcome)).toEqual(['written', 'written', 'failed', 'written'])
    expect(await store.list()).toEqual(['a', 'b', 'd'])
    expect(sequencesOf(await store.append([entry('c', 'small')]))).toEqual([1])
  })

  test('a database that was put back is noticed, and not written to as if nothing had happened', async () => {
    const store = await place.open({ lanes: 1 })
    await store.append([entry('a', 'one')])
    await store.append([entry('a', 'two')])
    const client = await place.sql()
    await client.query(`UPDATE ${place.schema}.lanes SET batch = batch - 1;
      DELETE FROM ${place.schema}.records WHERE sequence = 2; UPDATE ${place.schema}.documents SET last_sequence = 1`)

    await expect(store.append([entry('a', 'three')])).rejects.toThrow('put back to an earlier state')

    expect(await labels(store, 'a')).toEqual(['one'])
    expect(sequencesOf(await store.append([entry('a', 'again')]))).toEqual([2])
  })

  test('parts of two checkpoints never mix, also while leftovers are collected', async () => {
    const [left, right] = [await place.open(), await place.open({ graceMs: 0, collectEveryMs: 1 })]
    await left.append([entry('a', 'one')])
    const segments = (label: string) => Array.from({ length: 4 }, (_, i) => bytesOf(`${label}.${i}`, 100_000))
    let isOver = false
    const write = async (store: Store, name: string) => {
      let written = 0
      for (let round = 0; round < 8; round++) {
        const from = await store.load('a')
        const label = `${name} ${round}`
        const result = await overwrite(store, { document: 'a', from, segments: segments(label) })
        if (result.outcome === 'written') written++
      }
      return written
    }
    const read = async () => {
      while (!isOver) {
        const found = (await left.load('a')).checkpoint?.segments.map(labelOf)
        if (found === undefined) continue
        const label = found[0]?.split('.')[0] ?? ''
        expect(found).toEqual(segments(label).map(labelOf))
      }
    }
    const reading = read()
    const counts = await Promise.all([write(left, 'left'), write(right, 'right')])
    isOver = true
    await reading
    expect(counts[0] + counts[1]).toBeGreaterThan(0)

    const client = await place.sql()
    const leftovers = async () => {
      const { rows } = await client.query(`SELECT count(*)::int AS n FROM ${place.schema}.segments sg
        JOIN ${place.schema}.documents d ON d.id = sg.document WHERE sg.generation <> d.generation`)
      return rows[0].n
    }
    while ((await leftovers()) > 0) await new Promise(resolve => setTimeout(resolve, 5))
    expect((await client.query(`SELECT count(*)::int AS n FROM ${place.schema}.records`)).rows[0].n).toBe(0)
    expect((await left.load('a')).checkpoint?.segments.length).toBe(4)
  })

  test('an attempt whose parts are collected while it waits to become the checkpoint does not become it', async () => {
    const store = await place.open()
    await store.append([entry('a', 'one')])
    const from = await store.load('a')
    // A collector, stopped between its two steps.
    const collector = await place.sql()
    await collector.query('BEGIN')
    await collector.query(
      `UPDATE ${place.schema}.documents SET collected_to = ${Number.MAX_SAFE_INTEGER} WHERE name = 'a'`
    )

    const attempt = overwrite(store, { document: 'a', from, segments: [bytesOf('lost')] })
    const watcher = await place.sql()
    const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${place.schema}%collected_to <%'`
    while ((await watcher.query(waiting)).rowCount === 0) await new Promise(resolve => setImmediate(resolve))
    await collector.query(`DELETE FROM ${place.schema}.segments`)
    await collector.query('COMMIT')

    expect(await attempt).toEqual({ outcome: 'superseded' })
    expect(await labels(store, 'a')).toEqual(['one'])
  })

  test('what a deleted document had is removed, and its numbers are not given out again', async () => {
    const store = await place.open({ graceMs: 0, collectEveryMs: 1 })
    await store.append([entry('a', 'one'), entry('a', 'two')])
    await store.delete('a')
    const client = await place.sql()
    const records = async () => (await client.query(`SELECT FROM ${place.schema}.records`)).rowCount
    while ((await records()) !== 0) await new Promise(resolve => setTimeout(resolve, 5))

    expect(sequencesOf(await store.append([entry('a', 'three')]))).toEqual([3])
    expect(await labels(store, 'a')).toEqual(['three'])
  })

  test('no password is in an error, nor where it was caused', async () => {
    const address = 'postgres://chorus:opensesame@127.0.0.1:1/nowhere'
    const error = await openPostgresStore(address, { patienceMs: 1 }).catch((cause: unknown) => cause)

    expect(error).toBeInstanceOf(StoreError)
    expect((error as StoreError).message).toBe('PostgreSQL did not answer (ECONNREFUSED)')
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('opensesame')
  })

  test('a missing store is not made when it must be there', async () => {
    const address = place.postgres.url('nowhere')
    await expect(openPostgresStore(address, { create: false })).rejects.toMatchObject({
      code: 'STORE_MISSING'
    })
    const client = await place.sql()
    await client.query(`CREATE SCHEMA newer; CREATE TABLE newer.format (version int, probed timestamptz);
      INSERT INTO newer.format VALUES (1000)`)
    await expect(openPostgresStore(place.postgres.url('newer'))).rejects.toMatchObject({
      code: 'STORE_FORMAT'
    })
  })

  test('several servers that begin in one empty database make one set of tables', async () => {
    const opened = await Promise.all(
      Array.from({ length: 4 }, () => place.open({ lanes: 1 }, place.postgres.port))
    )

    const sequences = await Promise.all(opened.map(store => store.append([entry('a', 'x')])))

    expect(sequences.flatMap(sequencesOf).sort()).toEqual([1, 2, 3, 4])
  })
})

function entry(document: string, label: string): AppendEntry {
  return { document, record: bytesOf(label) }
}
