/**
 * Two rooms of one document on two nodes, over a bus that loses and a database whose replies are late or lost: they open
 * while notices come in, write, end and open again, and neither ever stands still behind the log. In virtual time.
 */
import { expect, test } from 'vitest'
import { createMemoryBroker, type MemoryBroker, sealBus } from '../../bus/index.ts'
import { Fault } from '../../src/base/errors.ts'
import { withLimits } from '../../src/base/limits.ts'
import { createLog } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { Cluster } from '../../src/cluster/cluster.ts'
import { type BatchWriter, Journal, type Life } from '../../src/room/journal.ts'
import { SharedLog } from '../../src/room/shared-log.ts'
import { Chance } from '../simulation/chance.ts'
import { DatabaseLink } from '../simulation/database-link.ts'
import { SharedDatabase } from '../simulation/shared-database.ts'
import { SharedStore } from '../simulation/shared-store.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'
import { seed } from '../support/seed.ts'

const limits = withLimits({})
const log = createLog('silent', process.stderr)
/** Longer than a look at the heads, a read and its retries take while statements are lost. */
const boundMs = 8_000

console.log(`two rooms: SEED=${seed}`)

/** What a room has shown: labels by number, and what it was told is shown of its own. */
type Shown = { readonly at: Map<number, string>; readonly wrong: string[] }

class Node {
  readonly name: string
  readonly #world: World
  readonly #store: SharedStore
  readonly #journal: Journal
  readonly #cluster: Cluster
  room: Room | null = null
  #isOpening = false

  constructor(name: string, world: World) {
    this.name = name
    this.#world = world
    const { time, chance, database, broker, isFaulty } = world
    const plan = { delayMs: 3, loss: 0.05, slowness: 0.1, slowMs: 400, statementMs: 1_000, patienceMs: 4_000 }
    const weather = { plan, isFaulty, isAway: () => false, meets: () => true }
    const link = new DatabaseLink({ time, databaseTime: time, chance, weather })
    this.#store = new SharedStore({ database, link, node: name, lanes: 2 })
    const metrics = createMetrics()
    this.#journal = new Journal(this.#store, { time, metrics, window: { writingMs: () => 0 } })
    const bus = broker.connect(name, { time })
    const sealed = sealBus({ bus, clusterId: 'two rooms', nodeId: name, key: new Uint8Array(32).fill(7) })
    this.#cluster = new Cluster({ store: this.#store, bus: sealed, time, limits, metrics, log })
  }

  /** As `Rooms` does: what it loads first, and from then on what it is told. */
  async open(): Promise<void> {
    if (this.#isOpening || this.room !== null) return
    this.#isOpening = true
    try {
      await this.#journal.written('x')
      const { incarnation, head, records, floor } = await this.#store.load('x')
      const last = records.at(-1)
      const start = incarnation === null ? null : { sequence: head, identity: last?.identity ?? null }
      const shown: Shown = { at: new Map(), wrong: [] }
      for (const { sequence, record } of records) shown.at.set(sequence, labelOf(record))
      this.room = new Room({ node: this, life: { incarnation, isPlanting: false, floor }, start, shown })
    } catch {
      // The store does not answer: whoever comes next opens it.
    }
    this.#isOpening = false
  }

  follow(
    room: Room,
    opened: { readonly life: Life; readonly start: ConstructorParameters<typeof SharedLog>[0]['start'] }
  ) {
    const { time, chance, isFaulty } = this.#world
    const parts = { store: this.#store, nodes: this.#cluster, time, limits, metrics: createMetrics(), log }
    return new SharedLog<string>({ name: 'x', ...opened }, parts, {
      isAppending: () => room.writing !== null,
      showOwn: (own, sequence) => room.show(own, sequence),
      showForeign: (record, sequence) => {
        if (!chance.hits(0.2)) {
          room.show(labelOf(record), sequence)
          return null
        }
        return time.delay(chance.gapMs(10)).then(() => {
          if (isFaulty() && chance.hits(0.02)) throw new Error('it cannot be shown')
          room.show(labelOf(record), sequence)
        })
      },
      isOver: () => this.end(),
      checkpointIs: () => {}
    })
  }

  enqueue(room: Room): void {
    this.#journal.enqueue(room)
  }

  end(): void {
    const { room } = this
    this.room = null
    room?.log.close(new Fault('ERR_ROOM_RESTARTS'))
  }

  close(): void {
    this.end()
    this.#cluster.close()
  }
}

class Room implements BatchWriter {
  readonly name = 'x'
  readonly life: Life
  readonly log: SharedLog<string>
  readonly shown: Shown
  readonly #node: Node
  writing: string | null = null
  readonly #gathered: string[] = []

  constructor({
    node,
    shown,
    ...opened
  }: { node: Node; shown: Shown; life: Life; start: Parameters<Node['follow']>[1]['start'] }) {
    this.#node = node
    this.life = opened.life
    this.shown = shown
    this.log = node.follow(this, opened)
  }

  write(label: string): void {
    this.#gathered.push(label)
    this.#node.enqueue(this)
  }

  show(label: string, sequence: number): void {
    if (this.#node.room !== null && this.#node.room !== this) return
    if (this.shown.at.has(sequence)) this.shown.wrong.push(`${label} at ${sequence} again`)
    this.shown.at.set(sequence, label)
  }

  takeBatch(): Uint8Array | null {
    const labels = this.#gathered.splice(0)
    if (labels.length === 0 || this.#node.room !== this) return null
    this.writing = labels.join()
    return new TextEncoder().encode(this.writing)
  }

  readonly takenIfHead = null

  batchDurable(sequence: number, identity: { readonly node: string; readonly batch: number }): void {
    const own = this.writing ?? ''
    this.writing = null
    this.log.appended({ sequence, identity, record: new TextEncoder().encode(own), own })
  }

  batchRefused(): void {
    this.#node.end()
  }

  batchFailed(): void {
    this.#node.end()
  }
}

type World = {
  readonly clock: VirtualClock
  readonly time: ReturnType<VirtualClock['scope']>
  readonly chance: Chance
  readonly database: SharedDatabase
  readonly broker: MemoryBroker
  readonly isFaulty: () => boolean
}

function labelOf(record: Uint8Array): string {
  return new TextDecoder().decode(record)
}

/** What is wrong with one life of two rooms. */
async function history(start: number): Promise<string[]> {
  const clock = new VirtualClock()
  const time = clock.scope()
  const chance = new Chance(start)
  const database = new SharedDatabase({ nowMs: () => clock.nowMs, graceMs: 600_000 })
  const broker = createMemoryBroker({ random: () => chance.between(0, 1) })
  broker.setFaults({ loss: 0.1, repetition: 0.1, delayMinMs: 0, delayMaxMs: 30 })
  let isFaulty = true
  const world = { clock, time, chance, database, broker, isFaulty: () => isFaulty }
  const nodes = [new Node('a', world), new Node('b', world)]
  const rooms = new Set<Room>()
  let made = 0
  for (let i = 0; i < 150; i++) {
    const node = chance.pick(nodes)
    if (node.room === null) void node.open()
    else rooms.add(node.room)
    if (chance.hits(0.6)) node.room?.write(`${node.name}${++made}`)
    if (chance.hits(0.05)) void node.room?.log.caughtUp().catch(() => {})
    if (chance.hits(0.02)) node.end()
    await clock.runFor(chance.gapMs(30))
  }
  // One more of each, while nothing is lost: each must come to show both.
  isFaulty = false
  await clock.runFor(boundMs)
  for (const node of nodes) void node.open()
  await clock.runFor(boundMs)
  for (const node of nodes) node.room?.write(`${node.name} last`)
  await clock.runFor(boundMs)
  const { head, records } = database.load('x')
  const wrong = [...rooms].flatMap(room => room.shown.wrong)
  for (const { name, room } of nodes) {
    const visible = room?.log.known.visible
    if (visible !== head) wrong.push(`${name} shows up to ${visible}, not ${head}`)
    for (const { sequence, record } of records) {
      const label = room?.shown.at.get(sequence)
      if (label !== labelOf(record)) wrong.push(`${name} has ${label} at ${sequence}, not ${labelOf(record)}`)
    }
  }
  for (const node of nodes) node.close()
  return wrong
}

test('[seeded] two rooms that open, write, end and open again reach the end of the log, each record once', async () => {
  for (let run = 0; run < 60; run++) expect(await history(seed + run), `SEED=${seed + run}`).toEqual([])
})
