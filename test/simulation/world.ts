/** Who takes part in a run: the servers, the pages, and what befalls them. */

import type { CheckpointLayout } from '../../src/document/checkpoint.ts'
import type { Chance } from './chance.ts'
import { Fleet } from './fleet.ts'
import type { FleetPlan } from './fleet-plan.ts'
import { Ledger } from './ledger.ts'
import { OneServer } from './one-server.ts'
import { Page } from './page.ts'
import { PastBook, type Stamp } from './past-book.ts'
import type { Plan } from './plan.ts'
import type { Plant } from './plants.ts'
import type { DeletionCall, Servers } from './servers.ts'
import { hocuspocus, type Tongue, yWebsocket } from './tongue.ts'
import type { Trace } from './trace.ts'
import type { Scope, VirtualClock } from './virtual-time.ts'
import { type CutNews, Wire } from './wire.ts'

export type WorldParts = {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly chance: Chance
  readonly plan: Plan
  readonly plant: Plant
  /** Null: one server. */
  readonly fleet: FleetPlan | null
}

export class World {
  readonly plan: Plan
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly rooms: readonly string[]
  readonly ledgers: Map<string, Ledger>
  readonly servers: Servers
  readonly book: PastBook
  pages: Page[] = []
  readonly #parts: WorldParts
  readonly #time: Scope
  readonly #chance: Chance
  readonly #wires = new Set<Wire>()
  #isCalm = false
  #hasShownParts = false
  #serial = 0

  constructor(parts: WorldParts) {
    this.#parts = parts
    const { clock, trace, plan, chance } = parts
    this.plan = plan
    this.clock = clock
    this.trace = trace
    this.#chance = chance
    this.#time = clock.scope()
    this.rooms = Array.from({ length: plan.rooms }, (_, i) => `room ${i}`)
    this.ledgers = new Map(this.rooms.map(room => [room, new Ledger()]))
    this.book = new PastBook({ stampOf: room => this.#stampOf(room), isCausal: plan.order === 'causal' })
    this.servers = this.#openServers()
  }

  /** Null: one server. */
  get fleet(): FleetPlan | null {
    return this.#parts.fleet
  }

  get wireCount(): number {
    return this.#wires.size
  }

  get isCalm(): boolean {
    return this.#isCalm
  }

  pagesIn(room: string): Page[] {
    return this.pages.filter(page => page.document === room)
  }

  openPage(room: string): Page {
    const { clock, trace, plan } = this
    const name = `p${this.#serial++}`
    const tongue = this.#drawTongue(room)
    const page: Page = new Page({
      clock,
      trace,
      name,
      document: room,
      tongue,
      chance: this.#chance.fork(),
      ledger: this.ledgers.get(room) ?? new Ledger(),
      clientID: this.#chance.hits(0.1) ? 2 ** 40 + this.#serial : this.#chance.below(2 ** 32),
      pasteChars: plan.pasteChars,
      order: plan.order,
      connect: () => this.#connect(tongue.document(room), name),
      mayShowParts: () => this.#hasShownParts,
      onEdit: update => this.#whisper(page, update),
      watch: this.servers.watch
    })
    trace.note('page', `${name} in ${room} speaks ${tongue.name}`)
    this.pages.push(page)
    return page
  }

  closePage(page: Page, how: 'goodbye' | 'vanish'): void {
    this.trace.note('page closed', `${page.name} ${how}`)
    this.pages = this.pages.filter(each => each !== page)
    page.close(how)
  }

  /** It is on its own from now on: nothing is owed to it but a refusal. */
  outlaw(page: Page): void {
    this.pages = this.pages.filter(each => each !== page)
    page.outlaw()
  }

  cut(page: Page, news: CutNews): void {
    this.trace.note('cut', `${page.name} ${news}`)
    page.wire?.cut(news)
  }

  /** The client stops reading for a while. */
  stall(page: Page, ms: number): void {
    const { wire } = page
    if (wire === null) return
    this.trace.note('stall', page.name)
    wire.setReading(false)
    this.#time.after(ms, () => wire.setReading(true))
  }

  /** Nothing is owed of the document then. */
  delete(room: string, call: DeletionCall): Promise<void> {
    this.ledgers.set(room, new Ledger())
    return this.servers.delete(room, call)
  }

  /** Mishaps end: the servers are up and well, everybody comes back. */
  async calm(): Promise<void> {
    this.trace.note('calm')
    this.#isCalm = true
    await this.servers.calm()
    for (const page of this.pages) page.connect()
  }

  #openServers(): Servers {
    const { clock, trace, plan, plant, chance, fleet } = this.#parts
    const parts = {
      ...{ clock, trace, plan, plant, chance, rooms: this.rooms },
      time: this.#time,
      ledgerOf: (room: string) => this.ledgers.get(room) ?? new Ledger(),
      isCalm: () => this.#isCalm,
      book: this.book,
      onLayout: (layout: CheckpointLayout) => {
        trace.note('layout', layout)
        if (layout === 'causal') this.#hasShownParts = true
      }
    }
    return fleet === null ? new OneServer(parts) : new Fleet(parts, fleet)
  }

  #stampOf(room: string): Stamp {
    const ledger = this.ledgers.get(room) ?? new Ledger()
    const { timeline } = ledger
    return { ledger, timeline, deletions: this.servers.watch.deletions(room) }
  }

  #drawTongue(room: string): Tongue {
    const chance = this.#chance
    if (!chance.hits(this.plan.hocuspocusShare)) return yWebsocket
    const address = chance.hits(0.3) ? `${room}\0session${this.#serial}` : room
    return hocuspocus(address, { echoes: chance.hits(0.5), path: chance.pick([null, 'collaboration']) })
  }

  #connect(room: string | null, name: string): Wire {
    const wire = new Wire(this.#time, this.#chance.fork(), this.plan.network)
    this.#wires.add(wire)
    wire.onGone = () => {
      if (wire.isOver) this.#wires.delete(wire)
    }
    this.servers.accept(wire, room, name)
    return wire
  }

  /** In runs with gaps: a page of the same browser hears of an edit before the server does. */
  #whisper(from: Page, update: Uint8Array): void {
    if (this.plan.order !== 'gaps' || this.#isCalm || !this.#chance.hits(0.2)) return
    const isOfSameLife = (page: Page) => page.isRetired === from.isRetired
    const others = this.pagesIn(from.document).filter(page => page !== from && isOfSameLife(page))
    if (others.length === 0) return
    const page = this.#chance.pick(others)
    this.#time.after(this.#chance.gapMs(5), () => {
      if (this.pages.includes(page) && isOfSameLife(page)) page.overhear(update)
    })
  }
}
