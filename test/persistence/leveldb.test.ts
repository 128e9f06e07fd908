/**
 * What only the real LevelDB can show: damaged bytes, space on disk, copies that are cut off.
 */
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import { appendLabels, bytesOf, overwrite, seen } from '../../persistence/conformance-tools.ts'
import { openLevelStore } from '../../persistence/leveldb.ts'
import type { StoreReport } from '../../persistence/reports.ts'
import type { Store } from '../../persistence/store.ts'
import { copyStore } from '../../persistence/store.ts'
import { temporaryDirectory } from './places.ts'

describe('damage in the database', () => {
  test('a flipped byte in a record is set aside and reported, the rest is returned', async () => {
    const directory = await filled()
    await flipOne(directory, 'r')
    const reports: StoreReport[] = []

    const store = await openLevelStore(directory, { onReport: report => reports.push(report) })
    const loaded = await store.load('a')

    expect(seen(loaded).records).toEqual(['four'])
    expect(loaded.damaged).toHaveLength(1)
    expect(reports).toMatchObject([{ kind: 'record-set-aside', document: 'a' }])
    expect((await store.listSetAside('a'))[0]?.reason).toContain('checksum')
    await store.close()
    const again = await openLevelStore(directory)
    expect((await again.load('a')).damaged).toEqual([])
    expect(await again.listSetAside('a')).toHaveLength(1)
    await again.close()
  })

  test.each(['h', 's'])(
    'a flipped byte in a head or segment (%s) is STORE_DAMAGED, never empty',
    async letter => {
      const directory = await filled()
      await flipOne(directory, letter)

      const store = await openLevelStore(directory)

      await expect(store.load('a')).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
      await expect(store.load('a')).rejects.toThrow('"a"')
      await store.close()
    }
  )

  test('a database without its manifest is refused and left alone', async () => {
    const directory = await filled()
    const log = join(directory, 'log')
    for (const name of readdirSync(log)) if (name.startsWith('MANIFEST')) truncateSync(join(log, name), 3)
    const before = filesOf(log)

    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    expect(filesOf(log)).toEqual(before)
  })
})

describe('space on disk', () => {
  test('a document overwritten often ends below three times its size', async () => {
    const directory = temporaryDirectory()
    const timers: (() => void)[] = []
    const compacted = deferred()
    const store = await openLevelStore(directory, {
      schedule: (_delayMs, work) => {
        timers.push(work)
        return () => {}
      },
      onReport: report => {
        if (report.kind === 'compacted') compacted.resolve()
      }
    })
    const size = 2 * 1024 * 1024
    for (let round = 0; round < 25; round++) await rewrite(store, size)
    const before = bytesOnDisk(directory)

    timers.at(-1)?.()
    await compacted.promise

    const after = bytesOnDisk(directory)
    console.log(`25 checkpoints of ${size} bytes: ${before} on disk, ${after} after compaction`)
    expect(after).toBeLessThan(3 * size)
    expect((await store.load('a')).checkpoint?.segments.length).toBe(8)
    await store.close()
  })

  test('close compacts a little, and leaves no timer', async () => {
    const directory = temporaryDirectory()
    const store = await openLevelStore(directory)
    const size = 1024 * 1024
    for (let round = 0; round < 8; round++) await rewrite(store, size)

    await store.close()

    expect(bytesOnDisk(directory)).toBeLessThan(3 * size)
  })
})

describe('copies', () => {
  test('one that was cut off does not open as a store', async () => {
    const directory = await filled()
    const target = join(temporaryDirectory(), 'copy')
    const store = await openLevelStore(directory)
    await copyStore(store, target)
    await store.close()
    // As a crash before the marker leaves it.
    rmSync(join(target, 'chorus.json'))
    writeFileSync(join(target, 'chorus.copying'), '')

    await expect(openLevelStore(target)).rejects.toMatchObject({ code: 'STORE_FOREIGN' })
    await expect(openLevelStore(target)).rejects.toThrow('interrupted')
  })

  test('one that fails leaves its directory empty, and the store goes on', async () => {
    const directory = await filled()
    const target = join(temporaryDirectory(), 'copy')
    const store = await openLevelStore(directory)

    const copying = copyStore(store, target, () => {
      throw new Error('the caller gave up')
    })

    await expect(copying).rejects.toThrow('gave up')
    expect(readdirSync(target)).toEqual([])
    await store.append([{ document: 'a', record: bytesOf('five') }])
    await copyStore(store, target)
    await store.close()
  })

  test('closing the store ends a copy with STORE_CLOSED', async () => {
    const directory = temporaryDirectory()
    const store = await openLevelStore(directory)
    await rewrite(store, 4 * 1024 * 1024)
    const closing: Promise<void>[] = []

    const copying = copyStore(store, join(temporaryDirectory(), 'copy'), () => {
      closing.push(store.close())
    })

    await expect(copying).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    await Promise.all(closing)
  })
})

/** All but LevelDB's own diary, which it renews at each opening. */
function filesOf(log: string): string[] {
  return readdirSync(log).filter(name => !name.startsWith('LOG'))
}

/** A closed store with document "a": a checkpoint and the records three and four. */
async function filled(): Promise<string> {
  const directory = join(temporaryDirectory(), 'store')
  const store = await openLevelStore(directory)
  await append(store, 'one', 'two')
  await overwrite(store, {
    document: 'a',
    from: await store.load('a'),
    segments: [bytesOf('m0'), bytesOf('m1')]
  })
  await append(store, 'three', 'four')
  await store.close()
  return directory
}

function append(store: Store, ...labels: string[]): Promise<number[]> {
  return appendLabels(store, 'a', ...labels)
}

async function rewrite(store: Store, size: number): Promise<void> {
  await append(store, 'x')
  const segments = Array.from({ length: size / (256 * 1024) }, () => {
    // Not compressible, as the disk would otherwise look better than it is.
    const segment = new Uint8Array(256 * 1024)
    for (let at = 0; at < segment.length; at += 4096) crypto.getRandomValues(segment.subarray(at, at + 4096))
    return segment
  })
  const result = await overwrite(store, { document: 'a', from: await store.load('a'), segments })
  expect(result.outcome).toBe('written')
}

/** Flips a byte in the body of the first value under a letter, through LevelDB itself. */
async function flipOne(directory: string, letter: string): Promise<void> {
  const database = new Level<Buffer, Buffer>(join(directory, 'log'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer'
  })
  const from = Buffer.from(letter)
  for await (const [key, value] of database.iterator({ gte: from, limit: 1 })) {
    value[value.length - 1] = (value[value.length - 1] ?? 0) ^ 1
    await database.put(key, value)
  }
  await database.close()
}

function bytesOnDisk(directory: string): number {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  return entries.reduce(
    (sum, entry) => (entry.isFile() ? sum + statSync(join(entry.parentPath, entry.name)).size : sum),
    0
  )
}

function deferred() {
  let resolve: () => void = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}
