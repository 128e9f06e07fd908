/**
 * The randomised part of the suite: one sequence of calls, drawn from a seed, on a store and on the memory
 * store as oracle. A call that is rejected (or cut by a crash) must have happened whole or not at all.
 */
import assert from 'node:assert/strict'
import type { StorePlace } from './conformance-case.ts'
import {
  describeHistories,
  drawHistoryCall,
  type HistoryCall,
  performHistoryCall
} from './conformance-model-history.ts'
import { bytesOf, labelOf, overwrite, seen } from './conformance-tools.ts'
import { createMemoryStore } from './memory.ts'
import type { Store } from './store.ts'

export type ModelOptions = {
  /** The same seed draws the same calls. */
  readonly seed: number
  readonly calls: number
  /** The place's `crash` is called now and then when it exists. `reopen`: also after each rejected call. */
  readonly place: StorePlace
  /** After a rejection: true when the store is dead and must be opened again, as after a simulated crash. */
  readonly isDead?: () => boolean
  /** How often a rejected call may be repeated before it counts as a fault of the store. */
  readonly rejectionsMax?: number
  /** Chance, 0 to 1, of a call about histories in the place of another one. Absent: none is made. */
  readonly histories?: number
}

const documents = ['a', 'ab', 'ü/文', '__proto__'] as const

type Call =
  | {
      readonly kind: 'append'
      readonly entries: readonly { readonly document: string; readonly label: string }[]
    }
  | {
      readonly kind: 'checkpoint'
      readonly document: string
      readonly label: string
      readonly size: 'small' | 'large'
      /** Record i of the loaded ones is replaced when bit i is set. */
      readonly mask: number
    }
  | { readonly kind: 'delete'; readonly document: string; readonly label: string }
  | { readonly kind: 'setAside'; readonly document: string; readonly label: string }
  | { readonly kind: 'metadata'; readonly label: string }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'crash' }
  | HistoryCall

/** Rejects with an AssertionError that names seed and call. Resolves with the number of rejected calls. */
export async function runModel(options: ModelOptions): Promise<number> {
  const run = new ModelRun(options)
  return run.all()
}

class ModelRun {
  readonly #options: ModelOptions
  readonly #random: () => number
  /** The label each document#sequence was first seen with. */
  readonly #numbers = new Map<string, string>()
  #store: Store | null = null
  #oracle = createMemoryStore()
  #history: Call[] = []
  #rejected = 0

  constructor(options: ModelOptions) {
    this.#options = options
    this.#random = randomFrom(options.seed)
  }

  async all(): Promise<number> {
    for (let index = 0; index < this.#options.calls; index++) {
      const call = this.#draw(index)
      try {
        await this.#one(call)
      } catch (error) {
        const text = `seed ${this.#options.seed}, call ${index} ${JSON.stringify(call)}: ${String(error)}`
        throw new assert.AssertionError({ message: text })
      }
    }
    await this.#reopen('close')
    await this.#compare('at the end')
    await this.#close()
    return this.#rejected
  }

  #draw(index: number): Call {
    const { histories = 0 } = this.#options
    if (histories === 0 || this.#random() >= histories) return drawCall(this.#random, index)
    const document = documents[Math.floor(this.#random() * documents.length)] ?? 'a'
    return drawHistoryCall(this.#random, { document, label: `${index}` })
  }

  async #one(call: Call): Promise<void> {
    if (call.kind === 'reopen') return this.#reopen('close')
    if (call.kind === 'crash') return this.#reopen('crash')
    try {
      await perform(await this.#opened(), call)
    } catch (error) {
      if (this.#options.rejectionsMax === undefined) throw error
      return this.#settleRejected(call)
    }
    await this.#happened(call)
    if (this.#history.length % 8 === 0) await this.#compare('after a call')
  }

  async #happened(call: Call): Promise<void> {
    await perform(this.#oracle, call)
    this.#history.push(call)
  }

  /**
   * The call happened whole or not at all; which of the two the store shows is what the oracle takes over.
   */
  async #settleRejected(call: Call): Promise<void> {
    this.#rejected++
    assert.ok(this.#rejected <= (this.#options.rejectionsMax ?? 0), 'too many rejections')
    const actual = await this.#describePatiently()
    if (actual === (await this.#describe(this.#oracle))) return
    await this.#happened(call)
    const after = await this.#describe(this.#oracle)
    assert.equal(actual, after, 'a rejected call happened by half')
  }

  async #describePatiently(): Promise<string> {
    const attempts = this.#options.rejectionsMax ?? 0
    for (let attempt = 0; ; attempt++) {
      try {
        if (this.#options.isDead?.() === true) this.#store = null
        const description = await this.#describe(await this.#opened())
        await this.#checkNumbers()
        return description
      } catch (error) {
        if (attempt >= attempts || error instanceof assert.AssertionError) throw error
      }
    }
  }

  async #compare(when: string): Promise<void> {
    assert.equal(await this.#describePatiently(), await this.#describe(this.#oracle), when)
  }

  async #describe(store: Store): Promise<string> {
    const seen = await describe(store)
    if ((this.#options.histories ?? 0) === 0) return seen
    return [seen, ...(await describeHistories(store, documents))].join('\n')
  }

  /** No sequence number of a document ever stands for two records. */
  async #checkNumbers(): Promise<void> {
    const store = await this.#opened()
    for (const document of documents) {
      const { records } = await store.load(document)
      for (const { sequence, record } of records) {
        const place = `${document}#${sequence}`
        const known = this.#numbers.get(place)
        if (known !== undefined) assert.equal(labelOf(record), known, `number ${place} was given out twice`)
        this.#numbers.set(place, labelOf(record))
      }
    }
  }

  async #reopen(how: 'close' | 'crash'): Promise<void> {
    const { crash } = this.#options.place
    if (how === 'crash') {
      if (crash === undefined) return
      await crash()
      this.#store = null
    } else {
      await this.#close()
    }
    const actual = await this.#describePatiently()
    assert.equal(actual, await this.#describe(this.#oracle), `after ${how}`)
  }

  async #close(): Promise<void> {
    await this.#store?.close()
    this.#store = null
  }

  async #opened(): Promise<Store> {
    this.#store ??= await this.#options.place.open()
    return this.#store
  }
}

async function perform(store: Store, call: Call): Promise<void> {
  switch (call.kind) {
    case 'append':
      await store.append(call.entries.map(({ document, label }) => ({ document, record: bytesOf(label) })))
      return
    case 'checkpoint': {
      const from = await store.load(call.document)
      const sizes = call.size === 'large' ? [400_000, 400_000, 400_000] : [0, 0]
      const segments = sizes.map((size, index) => bytesOf(`${call.label}.${index}`, size))
      const chosen = from.records.filter((_, index) => (call.mask >>> (index % 31)) & 1)
      const replaces = chosen.map(record => record.sequence)
      const result = await overwrite(store, { document: call.document, from, segments, replaces })
      assert.equal(result.outcome, 'written')
      return
    }
    case 'delete':
      await store.delete(call.document, { tombstone: { timeMs: 1, bytes: bytesOf(call.label) } })
      return
    case 'setAside':
      await store.setAside(call.document, {
        author: null,
        timeMs: 1,
        reason: call.label,
        bytes: bytesOf(call.label)
      })
      return
    case 'metadata':
      await store.writeMetadata('k', bytesOf(call.label))
      return
    case 'history':
    case 'dropHistory':
      return performHistoryCall(store, call)
    case 'reopen':
    case 'crash':
      return
    default:
      call satisfies never
  }
}

/** Everything a caller can see, as one comparable string. */
async function describe(store: Store): Promise<string> {
  const lines: string[] = [`list ${JSON.stringify(await store.list())}`]
  for (const document of documents) {
    const loaded = await store.load(document)
    assert.deepEqual(loaded.damaged, [])
    const aside = (await store.listSetAside(document)).map(entry => entry.reason)
    const life = loaded.incarnation === null ? 'none' : 'some'
    const buried = loaded.tombstone === null ? '' : labelOf(loaded.tombstone.bytes)
    lines.push(`${document} ${life} ${buried} ${JSON.stringify(seen(loaded))} ${JSON.stringify(aside)}`)
  }
  const metadata = await store.readMetadata('k')
  lines.push(metadata === null ? 'none' : labelOf(metadata))
  return lines.join('\n')
}

function drawCall(random: () => number, index: number): Call {
  const pick = (count: number) => Math.floor(random() * count)
  const document = documents[pick(documents.length)] ?? 'a'
  const label = `${index}`
  const kind = pick(100)
  if (kind < 55) {
    const entries = Array.from({ length: 1 + pick(4) }, (_, at) => ({
      document: documents[pick(documents.length)] ?? 'a',
      label: `${index}:${at}`
    }))
    return { kind: 'append', entries }
  }
  if (kind < 78) {
    const mask = pick(2) === 0 ? 0x7fffffff : pick(0x7fffffff)
    return { kind: 'checkpoint', document, label, size: pick(4) === 0 ? 'large' : 'small', mask }
  }
  if (kind < 85) return { kind: 'delete', document, label }
  if (kind < 90) return { kind: 'setAside', document, label }
  if (kind < 93) return { kind: 'metadata', label }
  return kind < 97 ? { kind: 'reopen' } : { kind: 'crash' }
}

/** mulberry32: small, good enough, and the same everywhere. Numbers in [0, 1). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
