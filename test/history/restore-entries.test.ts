/** What a manifest says of restores: whichever step a crash comes after, what was committed can be told. */
import { describe, expect, test } from 'vitest'
import { decodeCopies, encodeCopies, mergeCopies } from '../../src/history/copies.ts'
import { emptyManifest, type Manifest, type Version } from '../../src/history/manifest.ts'
import {
  abandoned,
  type Beginning,
  committed,
  committedTry,
  restoreWith,
  unchanged,
  withNamed,
  withoutVersion,
  withTry
} from '../../src/history/restore-entries.ts'

const bounds = { restoresMax: 3, restoreTriesMax: 2, restoreVersionsMax: 2 }

const empty = emptyManifest({ sequence: 0, timeMs: 0 })

function version(id: string, sequence: number): Version {
  return { id, name: '', kind: 'before-restore', sequence, timeMs: 1, madeMs: 1, author: null }
}

function beginning(key: string, client: number, more: Partial<Beginning> = {}): Beginning {
  const copies = { entry: { blob: client * 10, bytes: 1 }, replaces: [] }
  return { key, asked: 'x', client, copies, version: version(`${key}-${client}`, 7), failed: [], ...more }
}

describe('restores in a manifest', () => {
  test('a try stands there with its copies and a version before it', () => {
    const manifest = withTry(empty, beginning('k', 1), bounds)

    expect(restoreWith(manifest, 'k')).toMatchObject({ sequence: null, tries: [{ client: 1, copies: 10 }] })
    expect(manifest.copies).toEqual([{ blob: 10, bytes: 1 }])
    expect(manifest.versions).toEqual([version('k-1', 7)])
  })

  test('after several tries the document says which was committed, and what the others would have copied goes', () => {
    const two = withTry(withTry(empty, beginning('k', 1), bounds), beginning('k', 2), bounds)
    expect(two.versions).toHaveLength(1)
    expect(committedTry(restoreWith(two, 'k'), new Map([[9, 1]]))).toBeNull()
    const found = committedTry(restoreWith(two, 'k'), new Map([[2, 1]]))
    expect(found?.client).toBe(2)

    const over = committed(two, 'k', { client: 2, sequence: 20 })

    expect(restoreWith(over, 'k')).toMatchObject({ sequence: 20, tries: [{ client: 2, copies: 20 }] })
    expect(over.copies).toEqual([{ blob: 20, bytes: 1 }])
    // What others wrote between the name and the commit is part of what was before.
    expect(over.versions).toMatchObject([{ id: 'k-1', sequence: 19 }])
  })

  test('a try that is known to have failed goes with its copies when the next begins', () => {
    const one = withTry(empty, beginning('k', 1), bounds)
    const two = withTry(one, beginning('k', 2, { failed: [1] }), bounds)

    expect(restoreWith(two, 'k')?.tries).toEqual([{ client: 2, copies: 20 }])
    expect(two.copies).toEqual([{ blob: 20, bytes: 1 }])
  })

  test('one that came to nothing leaves nothing, and one that had nothing to do leaves its key', () => {
    const one = withTry(withTry(empty, beginning('other', 5), bounds), beginning('k', 1), bounds)

    const gone = abandoned(one, 'k')
    expect(gone).toEqual(withTry(empty, beginning('other', 5), bounds))
    const idle = unchanged(one, { key: 'k', asked: 'x', timeMs: 1, sequence: 9 }, bounds)
    expect(restoreWith(idle, 'k')).toMatchObject({ sequence: 9, tries: [], version: null })
    expect(idle.versions).toEqual(gone.versions)
  })

  test('many copies are put together, and stay when that try fails', () => {
    const one = withTry(empty, beginning('a', 1), bounds)
    const copies = { entry: { blob: 99, bytes: 5 }, replaces: [10] }
    const two = withTry(one, beginning('b', 2, { copies }), bounds)
    expect(two.copies).toEqual([{ blob: 99, bytes: 5 }])

    expect(abandoned(two, 'b').copies).toEqual([{ blob: 99, bytes: 5 }])
    expect(committed(two, 'a', { client: 1, sequence: 3 }).copies).toEqual([{ blob: 99, bytes: 5 }])
  })

  test('keys, tries and versions of the server are bounded, the newest stay; those of people are refused above it', () => {
    let manifest = empty
    for (const [i, key] of ['a', 'b', 'c', 'd'].entries())
      manifest = withTry(manifest, beginning(key, i + 1), bounds)
    for (const client of [10, 11, 12]) manifest = withTry(manifest, beginning('d', client), bounds)

    expect(manifest.restores.map(({ key }) => key)).toEqual(['b', 'c', 'd'])
    expect(restoreWith(manifest, 'd')?.tries.map(({ client }) => client)).toEqual([11, 12])
    expect(manifest.versions.map(({ id }) => id)).toEqual(['c-3', 'd-4'])
    const named = { ...version('n', 1), kind: 'named', name: 'a name' } as const
    const more = withNamed(manifest, named, 1) as Manifest
    expect(more.versions).toHaveLength(3)
    expect(withNamed(more, named, 1)).toBeNull()
    expect(withoutVersion(more, 'none')).toBeNull()
    expect(withoutVersion(more, 'n')?.versions).toEqual(manifest.versions)
  })
})

describe('copies as bytes', () => {
  const runs = (client: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      client,
      clock: i * 3,
      length: 2,
      ofClient: 2 ** 40,
      ofClock: i
    }))

  test('are read as they were written', () => {
    expect(decodeCopies(encodeCopies(runs(5, 300)))).toEqual(runs(5, 300))
    expect(decodeCopies(encodeCopies([]))).toEqual([])
    expect(() => decodeCopies(Uint8Array.of(2, 0))).toThrow()
    expect(() => decodeCopies(Uint8Array.of(1, 1, 5))).toThrow()
  })

  test('are put together in order, and the oldest left out where they are too many', () => {
    const blobs = [runs(1, 3), runs(2, 300), runs(3, 2)].map(encodeCopies)
    expect(decodeCopies(mergeCopies(blobs, 1 << 20))).toEqual([...runs(1, 3), ...runs(2, 300), ...runs(3, 2)])
    expect(decodeCopies(mergeCopies(blobs, 100))).toEqual(runs(3, 2))
    expect(decodeCopies(mergeCopies(blobs, 1))).toEqual([])
  })
})
