/**
 * What the conformance cases share: bytes with a label, shorthand for the calls, and what a store holds as
 * one comparable value.
 */
import assert from 'node:assert/strict'
import type { ConformanceCase, ConformanceFeature, StorePlace } from './conformance-case.ts'
import type { AppendAnswer, LoadedDocument, Store, StoreErrorCode } from './store.ts'

/** Bytes that carry a label, padded to `size` when it is larger. */
export function bytesOf(label: string, size = 0): Uint8Array {
  const text = new TextEncoder().encode(`${label}\n`)
  const bytes = new Uint8Array(Math.max(size, text.length))
  bytes.set(text)
  return bytes
}

export function labelOf(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 200))
  return text.slice(0, text.indexOf('\n'))
}

/** A case that needs no feature. */
export function aCase(
  name: string,
  body: (store: Store, place: StorePlace) => Promise<void>
): ConformanceCase {
  return aCaseWith([], name, body)
}

/** A case on a freshly opened store, closed at the end (closing twice is allowed). */
export function aCaseWith(
  features: readonly ConformanceFeature[],
  name: string,
  body: (store: Store, place: StorePlace) => Promise<void>
): ConformanceCase {
  const run = async (place: StorePlace) => {
    const store = await place.open()
    try {
      await body(store, place)
    } finally {
      await store.close()
    }
  }
  return { name, features, run }
}

export async function appendLabels(store: Store, document: string, ...labels: string[]): Promise<number[]> {
  return sequencesOf(await store.append(labels.map(label => ({ document, record: bytesOf(label) }))))
}

/** The numbers of what was written; an entry that was not fails the case. */
export function sequencesOf(answers: readonly AppendAnswer[]): number[] {
  return answers.map(answer => {
    assert.ok(answer.outcome === 'written', `an entry was answered with ${answer.outcome}`)
    return answer.sequence
  })
}

export type Overwrite = {
  readonly document: string
  readonly from: LoadedDocument
  readonly segments: readonly Uint8Array[]
  /** Absent: all records of `from`. */
  readonly replaces?: readonly number[]
}

/** A checkpoint of what was loaded. */
export function overwrite(store: Store, { document, from, segments, replaces }: Overwrite) {
  return store.checkpoint({
    document,
    incarnation: from.incarnation,
    base: from.checkpoint?.generation ?? null,
    replaces: replaces ?? from.records.map(record => record.sequence),
    meta: bytesOf(`meta of ${segments.length}`),
    segments
  })
}

export type Seen = { readonly checkpoint: string[] | null; readonly records: string[] }

/** A document as labels. */
export function seen(loaded: LoadedDocument): Seen {
  return {
    checkpoint: loaded.checkpoint === null ? null : loaded.checkpoint.segments.map(labelOf),
    records: loaded.records.map(({ record }) => labelOf(record))
  }
}

export async function assertSeen(store: Store, document: string, expected: Seen): Promise<LoadedDocument> {
  const loaded = await store.load(document)
  assert.deepEqual(seen(loaded), expected)
  return loaded
}

export async function assertRejects(promise: Promise<unknown>, code: StoreErrorCode): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof Error && 'code' in error, `expected ${code}, got ${String(error)}`)
    assert.equal(error.code, code)
    return true
  })
}

/** Segments that together exceed one step of any store: the large form of a checkpoint. */
export function largeSegments(label: string, count = 6): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => bytesOf(`${label}.${index}`, 300 * 1024))
}
