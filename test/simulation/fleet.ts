/**
 * Several nodes on one database with a bus between them: each comes and goes by itself, stands still, loses the others, the
 * bus or the database. Any page may come to any of them.
 */

import * as Y from 'yjs'
import { createMemoryBroker, type MemoryBroker } from '../../bus/index.ts'
import type { HistoryStore } from '../../persistence/history.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import type { ScannedUpdate } from '../../src/document/tail.ts'
import { Chance } from './chance.ts'
import { DatabaseLink } from './database-link.ts'
import type { FleetPlan } from './fleet-plan.ts'
import { FleetWatch } from './fleet-watch.ts'
import { storedUpdate } from './ledger.ts'
import { Member } from './node.ts'
import type { Page, PageWatch } from './page.ts'
import { type Lives, PastTruth } from './past-truth.ts'
import type { Home } from './server-process.ts'
import { ServerProcess } from './server-process.ts'
import {
  type DeletionCall,
  type DeletionEnd,
  inspectRooms,
  type Mishap,
  processParts,
  type Servers,
  type ServersParts,
  type Shown
} from './servers.ts'
import { type EarlierState, SharedDatabase } from './shared-database.ts'
import { SharedStore } from './shared-store.ts'
import { Violation } from './trace.ts'
import type { Scope } from './virtual-time.ts'
import type { Wire } from './wire.ts'

type Node = {
  readonly name: string
  process: ServerProcess
  member: Member | null
  /** The database is away for it. */
  isCutOff: boolean
  /** Its process ends with the next statement that the database carries out for it. */
  endsWith: 'crash-before' | 'crash-after' | null
  lives: number
}

/** A state of the database, and what had been written to it. */
type Remembered = { readonly database: EarlierState; readonly lives: Lives }

/** A node that stops waits for what is under way, and starts again. */
const upWithinMs = 120_000

/** All nodes have found by then that the database went back: also one that stood still, or was cut off from it. */
const noticedMs = 40_000

/** How far a database goes back, at most: so many of its states, a second apart. */
const statesMax = 5

const busWell = { loss: 0, repetition: 0, delayMinMs: 0, delayMaxMs: 2 }

export class Fleet implements Servers {
  readonly watch: PageWatch
  readonly #parts: ServersParts
  readonly #plan: FleetPlan
  readonly #database: SharedDatabase
  readonly #broker: MemoryBroker
  readonly #nodes: Node[]
  readonly #checks: FleetWatch
  readonly truth = new PastTruth()
  readonly #inspector = new Chance(0)
  /** The node that a page was on last. */
  readonly #lastOf = new Map<string, Node>()
  #states: Remembered[] = []
  #isDatabaseAway = false
  #isTalkWell = false
  /** So many are under way. */
  #deletions = 0

  constructor(parts: ServersParts, plan: FleetPlan) {
    this.#parts = parts
    this.#plan = plan
    const { time, chance, plant } = parts
    this.#database = new SharedDatabase({ nowMs: () => time.nowMs(), graceMs: plan.graceMs })
    plant.database?.(this.#database, time)
    const onBus = chance.fork()
    this.#broker = createMemoryBroker({ time, random: () => onBus.between(0, 1), faults: plan.bus })
    this.#nodes = Array.from({ length: plan.nodes }, (_, i) => this.#newNode(`n${i}`))
    this.#checks = new FleetWatch({
      time,
      database: this.#database,
      nodes: () => this.#watched(),
      ledgerOf: parts.ledgerOf,
      rooms: parts.rooms,
      boundMs: () => (parts.isCalm() ? 10_000 : 15_000),
      fail: error => parts.clock.fail(error)
    })
    this.watch = {
      asks: page => this.#checks.asks(page),
      shown: (page, scan) => this.#checks.shown(page, scan),
      saved: page => this.#saved(page),
      deletions: document => this.#checks.deletions(document)
    }
    if (parts.plan.past !== null) this.#noteTruth()
    for (const node of this.#nodes) this.#start(node)
    if (plan.goesBack) this.#remember()
  }

  /** Every record as it is written, before anyone else is told. */
  #noteTruth(): void {
    const database = this.#database
    const { onAppended } = database
    database.onAppended = entry => {
      const [{ incarnation, head } = { incarnation: null, head: 0 }] = database.heads([entry])
      if (incarnation !== null) this.truth.wrote(incarnation, head, entry.record)
      onAppended(entry)
    }
  }

  get all(): readonly ServerProcess[] {
    return this.#nodes.map(({ process }) => process)
  }

  accept(wire: Wire, document: string | null, page: string): void {
    const last = this.#lastOf.get(page)
    const others = this.#nodes.filter(node => node !== last)
    const node = this.#parts.chance.pick(last !== undefined && others.length > 0 ? others : this.#nodes)
    this.#lastOf.set(page, node)
    this.#parts.trace.note('to', `${page} ${node.name}`)
    node.process.accept(wire, document, page)
  }

  crash(news: 'told' | 'silent'): void {
    for (const node of this.#nodes) this.#crash(node, news)
  }

  endWithNext(process: ServerProcess, end: 'crash-before' | 'crash-after'): void {
    const node = this.#nodes.find(each => each.process === process)
    if (node !== undefined && !this.#parts.isCalm()) this.#arm(node, end)
  }

  isWell(process: ServerProcess): boolean {
    const node = this.#nodes.find(each => each.process === process)
    return node !== undefined && this.#isNodeWell(node)
  }

  /** One after the other, as an operator does who brings a new version. */
  restart(): void {
    const { time } = this.#parts
    for (const [i, node] of this.#nodes.entries()) time.after(1_000 * i, () => this.#restart(node))
  }

  async delete(room: string, call: DeletionCall): Promise<void> {
    this.#deletions++
    await this.#delete(room, call)
    this.#deletions--
  }

  async #delete(room: string, { how, wait }: DeletionCall): Promise<void> {
    const { trace, chance } = this.#parts
    let end: DeletionEnd = how
    for (let state = 'failed' as 'failed' | 'under way' | 'done'; state !== 'done'; ) {
      const node = chance.pick(this.#nodes)
      const { process } = node
      state = 'under way'
      if (end !== 'well') node.endsWith = end
      end = 'well'
      const deleting = process.isUp ? process.delete(room) : Promise.reject(new Error('it is not up'))
      deleting.then(
        () => {
          state = 'done'
        },
        error => {
          trace.note('delete failed', String(error))
          if (state === 'under way') state = 'failed'
        }
      )
      await wait(500)
      while ((state as string) === 'under way' && process === node.process && process.isUp) await wait(500)
    }
  }

  mishaps(chance: Chance): readonly Mishap[] {
    const { time } = this.#parts
    const some = (use: (node: Node) => void) => () => use(chance.pick(this.#nodes))
    const forAWhile = (begin: () => () => void) => () => void time.after(chance.scaled(50, 15_000), begin())
    return [
      [3, some(node => this.#crash(node, chance.hits(0.8) ? 'told' : 'silent'))],
      [1, some(node => this.#restart(node))],
      [1, () => this.restart()],
      [3, some(node => this.#arm(node, chance.pick(['crash-before', 'crash-after'])))],
      [3, some(node => forAWhile(() => this.#standStill(node))())],
      [3, forAWhile(() => this.#cutBus(chance))],
      [2, forAWhile(() => this.#cutDatabase(chance))],
      [this.#plan.goesBack ? 2 : 0, () => this.#goBack(chance)]
    ]
  }

  async calm(): Promise<void> {
    this.#isDatabaseAway = false
    for (const node of this.#nodes) {
      node.isCutOff = false
      node.endsWith = null
      node.process.goOn()
    }
    this.#broker.mend()
    this.#broker.comeBack()
    this.#calmBus()
    if (this.#plan.busInCalm === 'away') this.#broker.leave()
    await this.#allUp()
  }

  #calmBus(): void {
    const { busInCalm, bus } = this.#plan
    this.#broker.setFaults(busInCalm === 'well' ? busWell : bus)
  }

  talk(how: 'well' | 'as-planned'): void {
    this.#isTalkWell = how === 'well'
    if (how === 'as-planned') this.#calmBus()
    else this.#broker.setFaults(busWell)
    if (this.#isTalkWell || this.#plan.busInCalm !== 'away') this.#broker.comeBack()
    else this.#broker.leave()
  }

  get shown(): Shown {
    const { busInCalm } = this.#plan
    if (this.#isTalkWell || busInCalm === 'well') return 'of-all'
    return busInCalm === 'away' ? 'of-the-node' : null
  }

  /**
   * A node that is no more is silent for six beats, and claims of what it had wait for that. Where nodes cannot ask each
   * other, a half-open connection is found by its silence alone (AW9).
   */
  get presenceMs(): number {
    const { pingMs, heartbeatMs } = this.#parts.plan.limits
    return 10_000 + (this.shown === 'of-all' ? 0 : 2 * (pingMs + heartbeatMs))
  }

  areTogether(page: string, other: string): boolean {
    return this.#lastOf.get(page) === this.#lastOf.get(other)
  }

  writersOf(room: string): ReadonlySet<number> {
    return this.#checks.writersOf(room)
  }

  delayTalk(ms: number): void {
    this.#broker.setFaults({ loss: 0, repetition: 0.5, delayMinMs: 0, delayMaxMs: 20_000 })
    this.#parts.time.after(ms, () => this.#calmBus())
  }

  async #allUp(): Promise<void> {
    const { clock } = this.#parts
    const untilMs = clock.nowMs + upWithinMs
    const isDown = ({ process }: Node) => !process.isUp
    while (this.#nodes.some(isDown)) {
      if (clock.nowMs > untilMs) throw new Violation(`${this.#nodes.find(isDown)?.name} does not come up`)
      await clock.runFor(500)
    }
  }

  inspect(where: string): Promise<void> {
    const store = {
      load: async (document: string) => this.#database.load(document),
      listSetAside: (document: string) => this.#database.beside.listSetAside(document),
      history: readerOf(this.#database)
    }
    return inspectRooms(store, this.#parts, { where, truth: this.truth, chance: this.#inspector })
  }

  #newNode(name: string): Node {
    const node: Node = {
      name,
      process: new ServerProcess(
        processParts(
          this.#parts,
          this.#home(() => node)
        )
      ),
      member: null,
      isCutOff: false,
      endsWith: null,
      lives: 0
    }
    return node
  }

  #home(nodeOf: () => Node): Home {
    const { plant, chance } = this.#parts
    const { hasSeeds } = this.#plan
    return {
      openStore: async time => this.#openStore(nodeOf(), time),
      join: (store, parts) => {
        const node = nodeOf()
        const changed = plant.nodes ?? (nodes => nodes)
        node.member = new Member(node.name, this.#broker, { ...parts, store, changed })
        return node.member
      },
      seed: hasSeeds ? async () => plantedBy(chance) : null
    }
  }

  #openStore(node: Node, time: Scope): SharedStore {
    const { chance, isCalm } = this.#parts
    const weather = {
      plan: this.#plan.link,
      isFaulty: () => !isCalm(),
      isAway: () => this.#isDatabaseAway || node.isCutOff,
      meets: (when: 'before' | 'after') => this.#meets(node, when)
    }
    const id = `${node.name}.${++node.lives}`
    const databaseTime = this.#parts.time
    const link = new DatabaseLink({ time, databaseTime, chance: chance.fork(), weather })
    return new SharedStore({ database: this.#database, link, node: id, lanes: this.#plan.lanes })
  }

  #watched() {
    return this.#nodes.map(node => ({
      name: node.name,
      following: [...(node.member?.following.values() ?? [])],
      isWell: this.#isNodeWell(node)
    }))
  }

  #isNodeWell({ process, isCutOff }: Node): boolean {
    return process.isUp && !process.isStandingStill && !isCutOff && !this.#isDatabaseAway
  }

  #saved(page: Page): void {
    const { chance, isCalm, time } = this.#parts
    if (!isCalm() && chance.hits(this.#plan.hopShare)) time.soon(() => page.hop())
  }

  #start(node: Node): void {
    const { trace, isCalm, clock } = this.#parts
    trace.note('start', node.name)
    const { process } = node
    process.start().catch((error: unknown) => {
      if (isCalm()) clock.fail(error)
      else if (!process.isOver) this.#crash(node, 'told')
    })
  }

  #restart(node: Node): void {
    const { trace, isCalm, clock } = this.#parts
    const { process } = node
    if (!process.isUp || process.isStandingStill) return
    trace.note('stop', node.name)
    process
      .stop()
      .then(() => this.#startLater(node, process))
      .catch((error: unknown) => {
        if (isCalm() || !(error instanceof Error) || error.name !== 'StoreError') clock.fail(error)
        else this.#crash(node, 'told')
      })
  }

  #crash(node: Node, news: 'told' | 'silent'): void {
    const { process } = node
    if (process.isOver) return
    this.#parts.trace.note('crash', `${node.name} ${news}`)
    process.die(news)
    this.#startLater(node, process)
  }

  #startLater(node: Node, dead: ServerProcess): void {
    const { time, chance, clock } = this.#parts
    node.member = null
    time.after(chance.gapMs(400), () => {
      if (node.process !== dead) return
      node.process = new ServerProcess(
        processParts(
          this.#parts,
          this.#home(() => node)
        )
      )
      const inspected = this.#checks.isNoticing
        ? Promise.resolve()
        : this.inspect('after the end of a process')
      inspected.then(() => this.#start(node)).catch((error: unknown) => clock.fail(error))
    })
  }

  #arm(node: Node, endsWith: 'crash-before' | 'crash-after'): void {
    node.endsWith = endsWith
  }

  /** A statement of the node is about to be carried out, or has been. False: there is no process any more to send it. */
  #meets(node: Node, when: 'before' | 'after'): boolean {
    if (node.endsWith !== `crash-${when}`) return true
    node.endsWith = null
    this.#crash(node, 'told')
    return false
  }

  #standStill(node: Node): () => void {
    const { process } = node
    this.#parts.trace.note('stands still', node.name)
    process.standStill()
    // Some of what is sent to it meanwhile waits in its socket, and some is lost.
    const isDeaf = this.#parts.chance.hits(0.5)
    if (isDeaf) this.#broker.leave(node.name)
    return () => {
      this.#parts.trace.note('goes on', node.name)
      process.goOn()
      if (isDeaf && !this.#parts.isCalm()) this.#broker.comeBack()
    }
  }

  #cutBus(chance: Chance): () => void {
    const [from, to] = [chance.pick(this.#nodes).name, chance.pick(this.#nodes).name]
    const what = chance.pick(['all', 'one', 'one way'] as const)
    this.#parts.trace.note('bus away', `${what} ${from} ${to}`)
    if (what === 'all') this.#broker.leave()
    else if (what === 'one') this.#broker.leave(from)
    else this.#broker.cut(from, to)
    return () => {
      if (this.#parts.isCalm()) return
      this.#broker.mend()
      this.#broker.comeBack()
    }
  }

  #cutDatabase(chance: Chance): () => void {
    const node = chance.hits(0.5) ? chance.pick(this.#nodes) : null
    this.#parts.trace.note('database away', node?.name ?? 'for all')
    if (node === null) this.#isDatabaseAway = true
    else node.isCutOff = true
    return () => {
      if (node === null) this.#isDatabaseAway = false
      else node.isCutOff = false
    }
  }

  /** Keeps the first state of the database and the last ones, to go back to. */
  #remember(): void {
    const [first, ...others] = this.#states
    const now = { database: this.#database.stateNow(), lives: this.truth.livesNow() }
    const last = [...others, now].slice(-statesMax)
    this.#states = first === undefined ? last : [first, ...last]
    if (!this.#parts.isCalm()) this.#parts.time.after(1_000, () => this.#remember())
  }

  /** Nothing is owed but what is there then; who holds more brings it back. */
  #goBack(chance: Chance): void {
    const { time, trace, rooms, ledgerOf } = this.#parts
    // What is there then would be owed, and goes in the next moment.
    if (this.#deletions > 0) return
    const now = this.#database.stateNow()
    // To an earlier life of a document: who has the later one brings it into that, and nobody knows what is owed. To before
    // its deletion: it would be there again.
    const states = this.#states.filter(({ database: { rows, tombstones } }) =>
      rooms.every(room => {
        const life = rows.get(room)?.incarnation ?? null
        const isSame = life === (now.rows.get(room)?.incarnation ?? null)
        return (
          tombstones.get(room) === now.tombstones.get(room) &&
          (isSame || (life === null && !this.#checks.isGone(room)))
        )
      })
    )
    if (states.length === 0) return
    trace.note('went back')
    const [first] = states
    const { database, lives } = first !== undefined && chance.hits(0.3) ? first : chance.pick(states)
    this.#database.goBack(database)
    this.truth.wentBack(lives)
    this.#checks.wentBack()
    for (const room of rooms) {
      const ledger = ledgerOf(room)
      const stored = scanUpdate(storedUpdate(this.#database.load(room)))
      ledger.beginAgain(stored, range => this.#checks.holds(room, range))
      const { timeline } = ledger
      time.after(noticedMs, () => ledger.trust(timeline))
    }
  }
}

/** The histories as they stand, for whoever looks at them from outside. */
function readerOf({ histories }: SharedDatabase): Pick<HistoryStore, 'read' | 'blobs' | 'unreleased'> {
  return {
    read: async document => histories.read(document),
    blobs: async (document, incarnation, numbers) => histories.blobs(document, incarnation, numbers),
    unreleased: (document, incarnation, sequence, limits) =>
      histories.unreleased(document, incarnation, { sequence, limits })
  }
}

/** What a document begins with; each node would begin it with something of its own. */
function plantedBy(chance: Chance): ScannedUpdate {
  const doc = new Y.Doc({ guid: 'planted' })
  doc.clientID = chance.below(2 ** 32)
  doc.getArray('planted').push([doc.clientID])
  const update = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return { update, scan: scanUpdate(update) }
}
