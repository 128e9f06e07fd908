/**
 * Random Yjs histories from a seed: several clients that type, nest, format, delete, undo and sync now and then. The
 * oracle of the document tests is Yjs itself.
 */
import { createEncoder, toUint8Array, writeVarUint } from 'lib0/encoding'
import * as Y from 'yjs'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'

export type Random = {
  /** A number in [0, 1). */
  next(): number
  /** An integer in [0, bound). */
  below(bound: number): number
  /** One of the values. */
  pick<T>(values: readonly T[]): T
}

/** Print it when a test fails. */
export { seed }

export function createRandom(from: number): Random {
  const next = randomOf(from)
  const below = (bound: number) => Math.floor(next() * bound)
  const pick = <T>(values: readonly T[]): T => {
    const value = values[below(values.length)]
    if (value === undefined) throw new Error('nothing to pick from')
    return value
  }
  return { next, below, pick }
}

export type History = {
  /** Every update event of every client, in the order of events. */
  updates: Uint8Array[]
  docs: Y.Doc[]
}

export type HistoryOptions = {
  clients: number
  steps: number
  /** How often a step syncs two clients instead of editing. */
  syncRate?: number
  gc?: boolean
  /** Only edits of one plain text: dense runs. */
  textOnly?: boolean
}

const words = ['a', 'bc', 'é', '漢字', '😀', 'x😀y', '\ufeff', '\n', 'hello world', '\u0000']

/** Runs a random history and leaves the clients unsynced at its end. */
export function createHistory(random: Random, options: HistoryOptions): History {
  const updates: Uint8Array[] = []
  const docs = Array.from({ length: options.clients }, (_, i) => {
    const doc = new Y.Doc({ gc: options.gc ?? true })
    doc.clientID = i === 0 ? 2 ** 40 + random.below(1000) : random.below(2 ** 32)
    // Only what a client does itself is an update of the history; applied updates have an origin.
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'sync') updates.push(update)
    })
    return doc
  })
  for (let step = 0; step < options.steps; step++) {
    const doc = random.pick(docs)
    if (random.next() < (options.syncRate ?? 0.2)) syncFrom(random.pick(docs), doc)
    else doc.transact(() => edit(random, doc, options))
  }
  return { updates, docs }
}

/** Brings everything `from` has to `to`. */
export function syncFrom(from: Y.Doc, to: Y.Doc): void {
  Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)), 'sync')
}

function edit(random: Random, doc: Y.Doc, options: HistoryOptions): void {
  const kind = options.textOnly ? 0 : random.below(9)
  if (kind < 3) editText(random, doc.getText('text'))
  else if (kind < 4) editArray(random, doc.getArray('array'))
  else if (kind < 6) editMap(random, doc.getMap('map'))
  else if (kind < 7) editXml(random, doc.getXmlFragment('xml'))
  else formatText(random, doc.getText('rich'))
}

function editText(random: Random, text: Y.Text): void {
  const at = random.below(text.length + 1)
  if (random.next() < 0.3 && text.length > at)
    text.delete(at, Math.min(text.length - at, 1 + random.below(5)))
  else text.insert(at, random.pick(words))
}

function formatText(random: Random, text: Y.Text): void {
  if (text.length < 3 || random.next() < 0.4) {
    text.insert(random.below(text.length + 1), random.pick(words), random.next() < 0.5 ? { bold: true } : {})
  } else if (random.next() < 0.2) {
    text.insertEmbed(random.below(text.length), { image: { url: '"\\漢', size: [1, -2.5e3] } })
  } else {
    const at = random.below(text.length - 1)
    text.format(at, 1 + random.below(text.length - at), {
      [random.pick(['bold', 'link'])]: random.pick([true, null, 'u'])
    })
  }
}

function randomValue(random: Random): unknown {
  return random.pick<() => unknown>([
    () => null,
    () => undefined,
    () => true,
    () => random.below(2 ** 30) - 2 ** 29,
    () => random.next(),
    () => 1.5,
    () => 2n ** 40n,
    () => random.pick(words),
    () => new Uint8Array([1, 2, random.below(255)]),
    () => ({ a: [1, { b: null }], long: 'y'.repeat(60) }),
    () => ['x', [], {}],
    () => new Y.Map([['k', 1]]),
    () => new Y.Array(),
    () => new Y.Text('inner'),
    () => new Y.Doc({ autoLoad: random.next() < 0.5, meta: { m: 1 } })
  ])()
}

/** Y.Array takes neither undefined nor a bigint. */
function arrayValue(random: Random): unknown {
  const value = randomValue(random)
  return value === undefined || typeof value === 'bigint' ? null : value
}

function editArray(random: Random, array: Y.Array<unknown>): void {
  const at = random.below(array.length + 1)
  if (random.next() < 0.3 && array.length > at) {
    array.delete(at, Math.min(array.length - at, 1 + random.below(3)))
  } else if (random.next() < 0.3 && array.length > 0) {
    const inner = array.get(random.below(array.length))
    if (inner instanceof Y.Map) editMap(random, inner)
    else if (inner instanceof Y.Array) editArray(random, inner)
    else if (inner instanceof Y.Text) editText(random, inner)
  } else {
    array.insert(
      at,
      Array.from({ length: 1 + random.below(4) }, () => arrayValue(random))
    )
  }
}

function editMap(random: Random, map: Y.Map<unknown>): void {
  const key = random.pick(['a', 'b', 'ключ'])
  if (random.next() < 0.2) map.delete(key)
  else map.set(key, randomValue(random))
}

function editXml(random: Random, parent: Y.XmlFragment): void {
  const at = random.below(parent.length + 1)
  const child = parent.length > 0 ? parent.get(random.below(parent.length)) : undefined
  if (random.next() < 0.25 && parent.length > at) parent.delete(at, 1)
  else if (child instanceof Y.XmlElement && random.next() < 0.6) {
    if (random.next() < 0.3) child.setAttribute('class', random.pick(words))
    else editXml(random, child)
  } else if (child instanceof Y.XmlText && random.next() < 0.6) {
    child.insert(random.below(child.length + 1), random.pick(words))
  } else {
    const made = random.pick([
      () => new Y.XmlElement('p'),
      () => new Y.XmlText('t'),
      () => new Y.XmlHook('hook')
    ])()
    parent.insert(at, [made as Y.XmlElement])
  }
}

/**
 * What a document says, in one form for all that say the same: loading merges whatever can be merged. Pending structs
 * and deletions are part of it.
 */
export function canonicalState(doc: Y.Doc): string {
  const fresh = new Y.Doc()
  Y.applyUpdate(fresh, Y.encodeStateAsUpdate(doc))
  return Buffer.from(Y.encodeStateAsUpdate(fresh)).toString('hex')
}

/** A new document with these updates applied one by one. */
export function docOf(updates: Iterable<Uint8Array>): Y.Doc {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

/**
 * A new document with these updates applied as one, which integrates all that can be. Yjs does not always retry what
 * is pending: applied one by one with some missing (SEED=4964171 in compact.test.ts), structs wait that need not.
 */
export function docAtOnce(updates: readonly Uint8Array[]): Y.Doc {
  return docOf([Y.mergeUpdates([...updates, new Uint8Array([0, 0])])])
}

/** The values in random order; a new array. */
export function shuffled<T>(random: Random, values: readonly T[]): T[] {
  const order = values.map(value => ({ value, rank: random.next() }))
  return order.sort((a, b) => a.rank - b.rank).map(entry => entry.value)
}

/** Where the clocks of a client of a wide history begin: Yjs counts in doubles, and in places in 32 bits. */
const firstClocks = [0, 0, 2 ** 31 - 20, 2 ** 32 - 20, 2 ** 40, 2 ** 53 - 10_000]

/**
 * A history of many clients in one document in turn, each of which edits, undoes and redoes; some begin at a clock that
 * would have taken them years.
 */
export function createWideHistory(random: Random, steps: number): History {
  const updates: Uint8Array[] = []
  const docs = Array.from({ length: 12 }, () => new Y.Doc({ gc: random.next() < 0.5 }))
  const undos = docs.map(doc => {
    const clientID = random.pick([random.below(100), random.below(2 ** 32), 2 ** 52 + random.below(2 ** 32)])
    const first = random.pick(firstClocks)
    if (first > 0) Y.applyUpdate(doc, collected(clientID, first), 'sync')
    // Yjs gives a document another id when it receives something of its own.
    doc.clientID = clientID
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'sync') updates.push(update)
    })
    return new Y.UndoManager([doc.getText('rich'), doc.getMap('map'), doc.getArray('array')], {
      captureTimeout: 0
    })
  })
  for (let step = 0; step < steps; step++) {
    const at = random.below(docs.length)
    const [doc, undo] = [docs[at] as Y.Doc, undos[at] as Y.UndoManager]
    const kind = random.next()
    if (kind < 0.2) syncFrom(random.pick(docs), doc)
    else if (kind < 0.35) undo.undo()
    else if (kind < 0.45) undo.redo()
    else if (kind < 0.5) doc.getMap('map').set('when', new Date(random.below(2 ** 40)) as unknown)
    else doc.transact(() => edit(random, doc, { clients: 0, steps: 0 }))
  }
  for (const undo of undos) undo.destroy()
  return { updates, docs }
}

/** The update of a client whose first `length` clocks have been collected. */
function collected(client: number, length: number): Uint8Array {
  const encoder = createEncoder()
  for (const number of [1, 1, client, 0, 0, length, 0]) writeVarUint(encoder, number)
  return toUint8Array(encoder)
}
