/**
 * The calls of the randomised part that are about histories: drawn, made, and what of them can be seen. What a call names is
 * found by its place among what the store has, so that it is the same on every store, whatever its numbers are.
 */
import assert from 'node:assert/strict'
import { blobLabels, needed } from './conformance-history-tools.ts'
import { bytesOf, labelOf } from './conformance-tools.ts'
import type { HistoryStore } from './history.ts'
import type { Store } from './store.ts'

export type HistoryCall =
  | {
      readonly kind: 'history'
      readonly document: string
      readonly label: string
      /** Blobs that it writes: 1 to 3; `large`: of more than one step. */
      readonly blobs: number
      readonly size: 'small' | 'large'
      /** The share of what is still needed that it releases. */
      readonly released: number
      /** Of these, record i is pinned when bit i is set; of its blobs, blob i goes when bit i is set. */
      readonly pins: number
      readonly drops: number
    }
  | { readonly kind: 'dropHistory'; readonly document: string }

const all = { records: 10_000, bytes: 100_000_000 }

export function drawHistoryCall(
  random: () => number,
  { document, label }: { readonly document: string; readonly label: string }
): HistoryCall {
  const pick = (count: number) => Math.floor(random() * count)
  if (pick(10) === 0) return { kind: 'dropHistory', document }
  const size = pick(4) === 0 ? 'large' : 'small'
  const released = pick(3) === 0 ? 1 : random()
  const pins = pick(3) === 0 ? pick(2 ** 30) : 0
  return { kind: 'history', document, label, blobs: 1 + pick(3), size, released, pins, drops: pick(2 ** 30) }
}

/** Does nothing where the store keeps no histories, or has no such document. */
export async function performHistoryCall(store: Store, call: HistoryCall): Promise<void> {
  const { history } = store
  const { incarnation } = await store.load(call.document)
  if (history === undefined || incarnation === null) return
  if (call.kind === 'dropHistory') {
    await history.drop(call.document, incarnation)
    return
  }
  const present = await history.read(call.document)
  const old = present === null ? [] : blobsIn(present.manifest)
  const drops = old.filter((_, index) => isSet(call.drops, index))
  const size = call.size === 'large' ? 700_000 : 0
  const first = Number(call.label) * 3 + 1
  const blobs = Array.from({ length: call.blobs }, (_, index) => {
    return { number: first + index, bytes: bytesOf(`${call.label}/${index}`, size) }
  })
  const kept = [...old.filter(each => !drops.includes(each)), ...blobs.map(each => each.number)]
  const manifest = bytesOf(`${call.label} has ${kept.join(',')}`)
  const from = { document: call.document, incarnation, releasedTo: present?.releasedTo ?? 0 }
  const release = await releaseOf(history, call, from)
  const request = { document: call.document, incarnation, base: present?.generation ?? null }
  const result = await history.write({ ...request, manifest, blobs, drops, ...release })
  assert.equal(result.outcome, 'written')
}

async function releaseOf(
  history: HistoryStore,
  call: Extract<HistoryCall, { kind: 'history' }>,
  from: { readonly document: string; readonly incarnation: string; readonly releasedTo: number }
) {
  const page = await history.unreleased(from.document, from.incarnation, 0, all)
  assert.ok(page.outcome === 'records')
  const sequences = page.records.map(each => each.sequence)
  const last = sequences[Math.floor(sequences.length * call.released) - 1] ?? 0
  const releasedTo = Math.max(from.releasedTo, last)
  const pins = sequences.filter((each, index) => each <= releasedTo && isSet(call.pins, index))
  return { releasedTo, pins }
}

/** What can be seen of the histories of some documents, as lines. */
export async function describeHistories(store: Store, documents: readonly string[]): Promise<string[]> {
  const { history } = store
  if (history === undefined) return []
  const lines = [`histories ${JSON.stringify(await history.list())}`]
  for (const document of documents) {
    const stored = await history.read(document)
    const { incarnation } = await store.load(document)
    if (incarnation === null) assert.equal(stored, null)
    const records = incarnation === null ? [] : await needed(store, document)
    const shown = stored === null ? 'none' : `${labelOf(stored.manifest)}, ${stored.pins.length} pins`
    const blobs = stored === null ? [] : await blobLabels(store, document, blobsIn(stored.manifest))
    lines.push(`history of ${document}: ${shown} ${JSON.stringify(records)} ${JSON.stringify(blobs)}`)
  }
  return lines
}

function blobsIn(manifest: Uint8Array): number[] {
  const [, text = ''] = labelOf(manifest).split(' has ')
  return text === '' ? [] : text.split(',').map(Number)
}

/** Of the bits of a number, over and over. */
function isSet(bits: number, index: number): boolean {
  return ((bits >>> (index % 30)) & 1) === 1
}
