/** Histories in PostgreSQL: lost replies, several servers that write one, PostgreSQL killed amid it. */
import { describe, expect, test } from 'vitest'
import {
  blobLabels,
  historyOf,
  lifeOf,
  needed,
  plenty,
  write,
  written
} from '../../../persistence/conformance-history-tools.ts'
import { appendLabels, bytesOf, labelOf, sequencesOf } from '../../../persistence/conformance-tools.ts'
import type { Store } from '../../../persistence/store.ts'
import { untilAsync } from '../../support/clients.ts'
import { randomOf } from '../../support/random.ts'
import { seed } from '../../support/seed.ts'
import { postgresMissing } from '../../support/services/postgres.ts'
import { postgresPlaces } from '../../support/services/postgres-places.ts'

const mebibyte = 1024 * 1024

console.log(`histories in postgres: SEED=${seed}`)

describe.skipIf(postgresMissing !== null)('a store in PostgreSQL', () => {
  // What the store acknowledges is on disk all the same: the statements say so.
  const place = postgresPlaces({ synchronous_commit: 'off' })

  test.each([
    ['begins it', 'coalesce(history, attempt)'],
    ['brings a part of it', 'FOR SHARE'],
    ['takes it', 'spared AS']
  ])('a write is made once when the reply to what %s is lost', async (_, text) => {
    const store = await place.open()
    await appendLabels(store, 'a', 'one')
    const first = await written(store, { document: 'a', blobs: [{ number: 9, bytes: bytesOf('goes') }] })
    const blobs = [1, 2].map(number => ({ number, bytes: bytesOf(`${number}`, 9 * mebibyte) }))

    const result = await place.losing(text, () =>
      write(store, { document: 'a', blobs, drops: [9], releasedTo: 1 })
    )

    const stored = await historyOf(store).read('a')
    expect(result).toEqual({ outcome: 'written', generation: stored?.generation })
    expect(stored?.generation).toBeGreaterThan(first)
    expect(await blobLabels(store, 'a', [1, 2, 9])).toEqual(['1', '2', null])
  })

  test('a write whose reply was lost was made, also if another has followed it', async () => {
    const [store, other] = [await place.open(), await place.open({}, place.postgres.port)]
    await appendLabels(store, 'a', 'one')
    let next = 0
    const follow = async () => {
      next = await written(other, { document: 'a', blobs: [{ number: 2, bytes: bytesOf('two') }] })
    }

    const result = await place.losing(
      'spared AS',
      () => write(store, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('one') }] }),
      follow
    )

    expect(result.outcome).toBe('written')
    expect((await historyOf(store).read('a'))?.generation).toBe(next)
    expect(await blobLabels(store, 'a', [1, 2])).toEqual(['one', 'two'])
  })

  test('a write that another has overtaken while its reply was lost is superseded', async () => {
    const [store, other] = [await place.open(), await place.open({}, place.postgres.port)]
    await appendLabels(store, 'a', 'one')
    await written(store, { document: 'a' })

    const result = await place.losing(
      'coalesce(history, attempt)',
      () => write(store, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('late') }] }),
      () => written(other, { document: 'a', blobs: [{ number: 2, bytes: bytesOf('two') }] })
    )

    expect(result).toEqual({ outcome: 'superseded' })
    expect(await blobLabels(store, 'a', [1, 2])).toEqual([null, 'two'])
  })

  test('a history whose dropping was not answered is dropped, and one begun since stays', async () => {
    const [store, other] = [await place.open(), await place.open({}, place.postgres.port)]
    await appendLabels(store, 'a', 'one')
    const life = await lifeOf(store, 'a')
    await written(store, { document: 'a' })

    const dropped = await place.losing(
      'gone AS',
      () => historyOf(store).drop('a', life),
      () => written(other, { document: 'a', manifest: bytesOf('next') })
    )

    expect(dropped).toBe(true)
    expect(labelOf((await historyOf(store).read('a'))?.manifest ?? new Uint8Array())).toBe('next')
  })

  test('a write waits for no append, and appends wait for none of its parts', async () => {
    const store = await place.open({}, place.postgres.port)
    await appendLabels(store, 'a', 'one')
    const order: string[] = []
    const blobs = Array.from({ length: 12 }, (_, index) => ({
      number: index + 1,
      bytes: bytesOf('large', 8 * mebibyte)
    }))

    const writing = write(store, { document: 'a', blobs }).then(() => order.push('written'))
    for (let i = 0; i < 3; i++) await appendLabels(store, 'a', 'typed').then(() => order.push('appended'))
    await writing

    expect(order).toEqual(['appended', 'appended', 'appended', 'written'])
  })

  test('three servers seal a document while people type, it is compacted, and PostgreSQL is killed: each record is there once', async () => {
    const options = { collectEveryMs: 5, graceMs: 20_000 }
    const random = randomOf(seed)
    const servers = [
      await place.open(options),
      await place.open(options, place.postgres.port),
      await place.open(options)
    ]
    const typed: string[] = []
    let isOver = false
    const each = (body: (store: Store, name: string) => Promise<void>) =>
      servers.map(async (store, index) => {
        while (!isOver) await body(store, `${index}`)
      })
    await appendLabels(servers[0] as Store, 'a', 'first')
    await written(servers[0] as Store, { document: 'a' })

    const running = [
      ...each(async (store, name) => {
        const labels = Array.from(
          { length: 1 + Math.floor(random() * 4) },
          (_, i) => `${name} ${typed.length} ${i}`
        )
        const entries = labels.map(label => ({ document: 'a', record: bytesOf(label) }))
        sequencesOf(await store.append(entries))
        typed.push(...labels)
      }),
      ...each(async store => {
        const from = await store.load('a')
        const replaces = from.records.filter(() => random() < 0.8).map(({ sequence }) => sequence)
        const request = { document: 'a', incarnation: from.incarnation, replaces, meta: bytesOf('m') }
        await store.checkpoint({
          ...request,
          base: from.checkpoint?.generation ?? null,
          segments: [bytesOf('s')]
        })
      }),
      ...each(store => seal(store, random))
    ]
    for (let round = 0; round < 3; round++) {
      const before = typed.length
      while (typed.length < before + 60) await new Promise(resolve => setImmediate(resolve))
      if (round === 1) place.proxy.cutAndOpen()
      else {
        await place.postgres.kill()
        await place.postgres.start()
      }
    }
    isOver = true
    await Promise.all(running)

    const [store] = servers as [Store]
    await collected()
    const found = [...(await sealedLabels(store)), ...(await needed(store, 'a'))]
    expect(found.map(label => label.replace(/[()]/g, '')).sort()).toEqual(['first', ...typed].sort())
    expect(typed.length).toBeGreaterThan(180)
  }, 180_000)

  /** Everything that nobody needs is gone. */
  async function collected(): Promise<void> {
    const collector = await place.open({ graceMs: 0, collectEveryMs: 1 }, place.postgres.port)
    const count = `SELECT (SELECT count(*) FROM ${place.schema}.garbage) + (SELECT count(*) FROM ${place.schema}.history_garbage)`
    await untilAsync(async () => (await place.postgres.query(count)) === '0', 'the collector')
    await collector.close()
  }

  /** As a sealer does it: some of what is needed becomes a blob, some of it is pinned and comes later. */
  async function seal(store: Store, random: () => number): Promise<void> {
    const history = historyOf(store)
    const [present, life] = [await history.read('a'), await lifeOf(store, 'a')]
    if (present === null) throw new Error('the history is gone')
    const page = await history.unreleased('a', life, 0, { ...plenty, records: 1 + Math.floor(random() * 50) })
    if (page.outcome !== 'records' || page.records.length === 0) return
    const last = page.records.at(-1)
    const pinned = page.records.filter(() => random() < 0.1)
    const sealed = page.records.filter(record => !pinned.includes(record))
    const releasedTo = Math.max(present.releasedTo, last?.sequence ?? 0)
    const number = 1 + Math.floor(random() * 2 ** 47)
    // Pins above what this page holds stay.
    const pins = [
      ...pinned.map(({ sequence }) => sequence),
      ...present.pins.filter(pin => pin > (last?.sequence ?? 0))
    ]
    await history.write({
      document: 'a',
      incarnation: life,
      base: present.generation,
      manifest: bytesOf([...blobsOf(present.manifest), number].join(',')),
      blobs: [{ number, bytes: Buffer.from(sealed.map(({ record }) => labelOf(record)).join('\n')) }],
      drops: [],
      releasedTo,
      pins,
      through: releasedTo === last?.sequence ? last.identity : null
    })
  }

  async function sealedLabels(store: Store): Promise<string[]> {
    const [present, life] = [await historyOf(store).read('a'), await lifeOf(store, 'a')]
    const blobs = await historyOf(store).blobs('a', life, blobsOf(present?.manifest ?? new Uint8Array()))
    return blobs.flatMap(blob =>
      Buffer.from(blob ?? [])
        .toString()
        .split('\n')
        .filter(label => label !== '')
    )
  }

  function blobsOf(manifest: Uint8Array): number[] {
    const text = Buffer.from(manifest).toString().trim()
    return text === '' || text === 'manifest' ? [] : text.split(',').map(Number)
  }
})
