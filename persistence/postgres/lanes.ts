/**
 * Which appends are under way. Each has a lane, and a lane has a row that holds the number of the last batch written
 * through it: so a batch whose reply was lost can be sent again, and exactly one of the two is carried out. Appends of
 * one document go one after the other, in the order of the calls.
 */
import { randomBytes } from 'node:crypto'
import { bounds } from '../bounds.ts'
import { StoreError } from '../store.ts'
import type { Connections } from './connections.ts'

/** `batch`: the number in its row. */
export type Lane = { readonly number: number; batch: number; isUsable: boolean }

type Waiting = { readonly documents: ReadonlySet<string>; readonly start: () => void }

export class Lanes {
  /** Names this store from its opening to its end, in its lanes and in the records it writes. */
  readonly node: string
  readonly count: number
  readonly #connections: Connections
  readonly #schema: string
  readonly #free: Lane[] = []
  #made = 0
  #running = 0
  #batches = 0
  readonly #waiting: Waiting[] = []
  readonly #underWay = new Set<string>()

  constructor(connections: Connections, schema: string, count: number) {
    this.#connections = connections
    this.#schema = schema
    this.count = count
    // 62 bits: no number twice, and none that is not a bigint.
    this.node = (randomBytes(8).readBigUInt64BE() >> 2n).toString()
  }

  async open(): Promise<void> {
    for (let i = 0; i < this.count; i++) this.#free.push(await this.#make())
  }

  nextBatch(): number {
    return ++this.#batches
  }

  /** Runs `work` with a lane once one is free and no append of these documents is under way or before it. */
  async run<T>(documents: ReadonlySet<string>, work: (lane: Lane) => Promise<T>): Promise<T> {
    await this.#turn(documents)
    try {
      const lane = this.#free.pop() ?? (await this.#make())
      try {
        return await work(lane)
      } finally {
        // To one that an unresolved batch has left behind, that batch may still be written.
        if (lane.isUsable) this.#free.push(lane)
      }
    } finally {
      this.#running--
      for (const document of documents) this.#underWay.delete(document)
      this.#startNext()
    }
  }

  /** Keeps the rows of this store, which are removed when nobody has used them for long. */
  async touch(): Promise<void> {
    await this.#connections.query(`UPDATE ${this.#schema}.lanes SET seen = now() WHERE node = $1`, [
      this.node
    ])
  }

  #turn(documents: ReadonlySet<string>): Promise<void> {
    if (this.#waiting.length >= bounds.waitingWritesMax) {
      return Promise.reject(
        new StoreError('STORE_FAILED', 'Too many writes are waiting; nothing was written')
      )
    }
    return new Promise(resolve => {
      this.#waiting.push({ documents, start: resolve })
      this.#startNext()
    })
  }

  /** In the order of the calls, past those whose documents are under way. */
  #startNext(): void {
    const held = new Set<string>()
    for (let at = 0; at < this.#waiting.length && this.#running < this.count; ) {
      const { documents, start } = this.#waiting[at] as Waiting
      const isHeld = [...documents].some(document => this.#underWay.has(document) || held.has(document))
      if (isHeld) {
        for (const document of documents) held.add(document)
        at++
        continue
      }
      this.#waiting.splice(at, 1)
      for (const document of documents) this.#underWay.add(document)
      this.#running++
      start()
    }
  }

  async #make(): Promise<Lane> {
    const number = ++this.#made
    await this.#connections.query(
      `INSERT INTO ${this.#schema}.lanes (node, lane, batch) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING`,
      [this.node, number]
    )
    return { number, batch: 0, isUsable: true }
  }
}
