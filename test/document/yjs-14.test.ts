/**
 * Clients of Yjs 14 (a release candidate, as `@y/y`) write V1 updates too: all are accepted, survive merging, diffing
 * and compaction, and come back to clients of both versions.
 */
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import * as Y14 from 'yjs-14'
import { compactDocument } from '../../src/document/compact.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { diffUpdate, mergeUpdates } from '../../src/document/splice.ts'
import { createHistory, createRandom, docOf, type Random, seed } from './random-docs.ts'

const rounds = Number(process.env.ROUNDS ?? 30)
const empty = new Uint8Array([0, 0])

/** Its types are generic over a schema, which a random document has none of. */
type Type = {
  readonly length: number
  readonly attrSize: number
  delete(index: number, length: number): void
  insert(index: number, content: string | readonly unknown[]): void
  format(index: number, length: number, formats: object): void
  setAttr(name: string, value: unknown): void
  deleteAttr(name: string): void
  toJSON(): { children?: unknown[]; attrs?: Record<string, unknown> }
}

function editType(random: Random, type: Type, depth = 0): void {
  const length = type.length
  const kind = random.below(7)
  if (kind === 0 && length > 0) type.delete(random.below(length), 1)
  else if (kind === 1) type.setAttr(random.pick(['k', 'l', 'ключ']), value(random))
  else if (kind === 2 && type.attrSize > 0) type.deleteAttr(random.pick(['k', 'l']))
  else if (kind === 3 && length > 1)
    type.format(0, 1 + random.below(length - 1), { bold: random.pick([true, null]) })
  else if (kind === 4 && depth < 3) {
    const child = new Y14.Type(random.pick([null, 'p'])) as unknown as Type
    type.insert(random.below(length + 1), [child])
    editType(random, child, depth + 1)
  } else if (kind === 5) type.insert(random.below(length + 1), [value(random), value(random)])
  else type.insert(random.below(length + 1), random.pick(['a', '漢字', '😀', 'hello']))
}

function value(random: Random): unknown {
  return random.pick([1, 1.5, 'text', true, { a: [null] }, 2 ** 40, -7, [], new Uint8Array([1, 2])])
}

function rootOf(doc: Y14.Doc, name: string): Type {
  return doc.get(name) as unknown as Type
}

/** What clients of Yjs 14 write, who sync with one another now and then. */
function history14(random: Random): { updates: Uint8Array<ArrayBuffer>[]; docs: Y14.Doc[] } {
  const updates: Uint8Array<ArrayBuffer>[] = []
  const docs = [0, 1, 2].map(index => {
    const doc = new Y14.Doc({ gc: random.next() < 0.7 })
    doc.clientID = 2 ** 45 + index * 2 ** 30 + random.below(2 ** 20)
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'sync') updates.push(Uint8Array.from(update))
    })
    return doc
  })
  for (let step = 0; step < 50; step++) {
    const doc = random.pick(docs)
    if (random.next() < 0.2) {
      const from = random.pick(docs)
      Y14.applyUpdate(doc, Y14.encodeStateAsUpdate(from, Y14.encodeStateVector(doc)), 'sync')
    } else doc.transact(() => editType(random, rootOf(doc, random.pick(['text', 'map']))))
  }
  return { updates, docs }
}

function apply13(updates: readonly Uint8Array[]): Uint8Array {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return Y.encodeStateAsUpdate(doc)
}

function apply14(updates: readonly Uint8Array[]): Uint8Array {
  const doc = new Y14.Doc()
  for (const update of updates) Y14.applyUpdate(doc, update)
  return Y14.encodeStateAsUpdate(doc)
}

/** What a client of Yjs 14 shows of a document; attributes have no order, and texts side by side are one. */
function shown14(updates: readonly Uint8Array[]): unknown {
  const doc = new Y14.Doc()
  for (const update of updates) Y14.applyUpdate(doc, update)
  const json = JSON.stringify(['text', 'map'].map(name => rootOf(doc, name).toJSON()))
  return JSON.parse(json, (key, value: unknown) => (key === 'children' ? joined(value as unknown[]) : value))
}

/** Where a text was cut by something that is gone shows in some forms of a document and not in others. */
function joined(children: readonly unknown[]): unknown[] {
  const all: unknown[] = []
  for (const child of children) {
    const last = all.at(-1)
    if (typeof child === 'string' && typeof last === 'string') all[all.length - 1] = last + child
    else all.push(child)
  }
  return all
}

/**
 * What a client of Yjs 13 shows of a document of random-docs.ts. Formats are left out where both versions had a hand in
 * it: each has its own opinion on which marks are of no further use, and Yjs 14 deletes the one around an embed.
 */
function shown13(updates: readonly Uint8Array[], { formats }: { formats: boolean }): unknown {
  const doc = docOf(updates)
  const delta: { insert: unknown }[] = doc.getText('rich').toDelta()
  const shown = [
    doc.getText('text').toString(),
    formats ? delta : joined(delta.map(({ insert }) => insert)),
    doc.getArray('array').toJSON(),
    doc.getMap('map').toJSON()
  ]
  const json = JSON.stringify(shown, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  return [
    JSON.parse(json),
    doc.getXmlFragment('xml').toString(),
    [...doc.subdocs].map(({ guid }) => guid).sort()
  ]
}

it(`accepts all that Yjs 14 writes, with gaps and pending structs too (SEED=${seed})`, () => {
  for (let round = 0; round < rounds; round++) {
    const random = createRandom(seed + round)
    const { updates, docs } = history14(random)
    const some = updates.filter(() => random.next() < 0.6)
    const written = [
      ...updates,
      ...docs.map(doc => Y14.encodeStateAsUpdate(doc)),
      ...docs.map(doc => Y14.encodeStateAsUpdate(doc, Y14.encodeStateVector(random.pick(docs)))),
      Y14.mergeUpdates([...some, empty]),
      apply14(some),
      Y14.diffUpdate(Y14.mergeUpdates([...updates, empty]), Y14.encodeStateVector(random.pick(docs)))
    ]
    for (const update of written) scanUpdate(update)
  }
})

it(`brings Yjs 14's documents back to clients of both versions (SEED=${seed})`, () => {
  for (let round = 0; round < rounds; round++) {
    const random = createRandom(seed + round)
    const { updates } = history14(random)
    const sizes = { wholeBytesMax: 0, heldBackBytesMax: 0, segmentBytes: 200 }

    const merged = mergeUpdates([...updates, empty])
    const { segments, pending, refused } = compactDocument({ segments: [], entries: updates, sizes })
    const rest = diffUpdate(merged, Y.decodeStateVector(Y14.encodeStateVectorFromUpdate(updates[0] ?? empty)))

    expect([...pending, ...refused]).toEqual([])
    const expected = shown14(updates)
    expect(shown14([merged]), `seed ${seed + round}`).toEqual(expected)
    expect(shown14(segments), `seed ${seed + round}`).toEqual(expected)
    expect(shown14([updates[0] ?? empty, rest]), `seed ${seed + round}`).toEqual(expected)
    expect(shown14([apply13(updates)]), `seed ${seed + round}`).toEqual(expected)
  }
})

it(`brings Yjs 13's documents to Yjs 14 and what that makes of them back (SEED=${seed})`, () => {
  for (let round = 0; round < rounds; round++) {
    const random = createRandom(seed + round)
    const { updates } = createHistory(random, { clients: 3, steps: 60 })

    const through14 = apply14(updates)

    scanUpdate(through14)
    const all = [...updates, through14]
    expect(shown13([through14], { formats: false }), `seed ${seed + round}`).toEqual(
      shown13(updates, { formats: false })
    )
    expect(shown13([mergeUpdates(all)], { formats: true }), `seed ${seed + round}`).toEqual(
      shown13(all, { formats: true })
    )
  }
})
