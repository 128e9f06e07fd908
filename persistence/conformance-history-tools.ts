/**
 * What the cases about histories share: a document of which a checkpoint has replaced something, writes of a history as the
 * sealer makes them, and what a history holds as one comparable value.
 */
import assert from 'node:assert/strict'
import type { ConformanceCase, ConformanceFeature, StorePlace } from './conformance-case.ts'
import { aCaseWith, bytesOf, labelOf, overwrite } from './conformance-tools.ts'
import type { HistoryRequest, HistoryStore, StoredHistory } from './history.ts'
import type { RecordLimits, Store } from './store.ts'

export const plenty: RecordLimits = { records: 1000, bytes: 100_000_000 }

type Body = (store: Store, history: HistoryStore, place: StorePlace) => Promise<void>

/** A case of a store that keeps histories. */
export function aHistoryCase(name: string, body: Body): ConformanceCase {
  return aHistoryCaseWith([], name, body)
}

export function aHistoryCaseWith(
  features: readonly ConformanceFeature[],
  name: string,
  body: Body
): ConformanceCase {
  return aCaseWith(['history', ...features], `history: ${name}`, (store, place) =>
    body(store, historyOf(store), place)
  )
}

export function historyOf(store: Store): HistoryStore {
  assert.ok(store.history !== undefined, 'the store keeps no histories')
  return store.history
}

export async function lifeOf(store: Store, document: string): Promise<string> {
  const { incarnation } = await store.load(document)
  assert.ok(incarnation !== null, 'there is no document')
  return incarnation
}

/** What differs between the writes of the cases; the rest is that of a history that has nothing to say. */
export type Writing = Partial<HistoryRequest> & Pick<HistoryRequest, 'document'>

/** A write upon the present history, unless `base` says another. */
export async function write(store: Store, writing: Writing) {
  const history = historyOf(store)
  const present = writing.base === undefined ? await history.read(writing.document) : null
  return history.write({
    base: present?.generation ?? null,
    manifest: bytesOf('manifest'),
    blobs: [],
    drops: [],
    releasedTo: present?.releasedTo ?? 0,
    pins: [],
    ...writing,
    incarnation: writing.incarnation ?? (await lifeOf(store, writing.document))
  })
}

/** As `write`, and it was. */
export async function written(store: Store, writing: Writing): Promise<number> {
  const result = await write(store, writing)
  assert.ok(result.outcome === 'written', 'the history was superseded')
  return result.generation
}

/** Merges everything that `load` gives. */
export async function mergeAll(store: Store, document: string, label = 'merged'): Promise<number> {
  const from = await store.load(document)
  const result = await overwrite(store, { document, from, segments: [bytesOf(label)] })
  assert.ok(result.outcome === 'written', 'the checkpoint was superseded')
  return result.generation
}

/** Everything that the history still needs, page by page: `label` of what is in the log, `(label)` of what was replaced. */
export async function needed(store: Store, document: string, limits = plenty, after = 0): Promise<string[]> {
  const life = await lifeOf(store, document)
  const labels: string[] = []
  for (let sequence = after; ; ) {
    const page = await historyOf(store).unreleased(document, life, sequence, limits)
    assert.ok(page.outcome === 'records', 'the document is gone')
    assert.ok(page.records.length <= limits.records)
    assert.deepEqual(page.damaged, [])
    for (const { record, isReplaced } of page.records) {
      labels.push(isReplaced ? `(${labelOf(record)})` : labelOf(record))
    }
    const last = page.records.at(-1)
    if (last === undefined) return labels
    assert.ok(last.sequence > sequence && last.sequence <= page.head, 'not in order')
    sequence = last.sequence
  }
}

export async function blobLabels(
  store: Store,
  document: string,
  numbers: readonly number[]
): Promise<(string | null)[]> {
  const found = await historyOf(store).blobs(document, await lifeOf(store, document), numbers)
  return found.map(bytes => (bytes === null ? null : labelOf(bytes)))
}

export function shownHistory(stored: StoredHistory | null): string {
  if (stored === null) return 'none'
  const { manifest, releasedTo, pins } = stored
  return `${labelOf(manifest)}, released to ${releasedTo}, pins ${pins.join(' ')}`
}
