/** Who takes part in a run: the disk, the server that comes and goes, the pages, and what befalls them. */

import { openOrderedStore } from '../../persistence/ordered-store.ts'
import type { LoadedDocument, Store } from '../../persistence/store.ts'
import type { Chance } from './chance.ts'
import { FaultyDisk } from './disk.ts'
import { Ledger, storedUpdate } from './ledger.ts'
import { Page } from './page.ts'
import type { Plan } from './plan.ts'
import type { Plant } from './plants.ts'
import { ServerProcess } from './server-process.ts'
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
}

export class World {
  readonly plan: Plan
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly rooms: readonly string[]
  readonly ledgers: Map<string, Ledger>
  readonly disk: FaultyDisk
  server: ServerProcess
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
    const time = this.#time
    const onCrash = () => this.#died('told')
    this.disk = new FaultyDisk({ time, chance: chance.fork(), plan: plan.disk, trace, onCrash })
    this.server = this.#newServer()
    this.#start(this.server)
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
      onEdit: update => this.#whisper(page, update)
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

  fillDisk(ms: number): void {
    this.trace.note('disk full')
    this.disk.fill()
    this.#time.after(ms, () => this.disk.heal())
  }

  crash(news: 'told' | 'silent'): void {
    if (this.server.isOver) return
    this.disk.disk.crash()
    this.#died(news)
  }

  restart(): void {
    const { server } = this
    if (!server.isUp) return
    this.trace.note('stop')
    server
      .stop()
      .then(() => this.#restartLater(server))
      .catch((error: unknown) => {
        // A store that fails while it closes ends the process no worse than a crash.
        if (this.#isCalm || !(error instanceof Error) || error.name !== 'StoreError') this.clock.fail(error)
        else this.crash('told')
      })
  }

  /**
   * The application deletes a document, as often as it takes: the process may end before or after the deletion is on
   * disk. Nothing is owed of the document then.
   */
  async delete(room: string, how: 'well' | 'crash-before' | 'crash-after'): Promise<void> {
    this.ledgers.set(room, new Ledger())
    if (how !== 'well') this.disk.arm({ outcome: how, target: 'any' })
    for (let isDone = false; !isDone; ) {
      const { server } = this
      const deleting = server.isUp ? server.delete(room) : Promise.reject(new Error('it is not up'))
      deleting.then(
        () => {
          isDone = true
        },
        error => this.trace.note('delete failed', String(error))
      )
      await this.clock.runFor(500)
      while (!isDone && server === this.server && !server.isOver && server.isUp) await this.clock.runFor(500)
      while (!this.server.isUp) await this.clock.runFor(500)
    }
  }

  /** Mishaps end: the disk is well, the server up, everybody comes back. */
  async calm(): Promise<void> {
    this.trace.note('calm')
    this.#isCalm = true
    this.disk.calm()
    while (!this.server.isUp) await this.clock.runFor(500)
    for (const page of this.pages) page.connect()
  }

  /** What the disk has of every room, as a server that starts now would find it, holds all that is owed. */
  async inspect(where: string): Promise<void> {
    this.disk.heal()
    await this.disk.inspect(async backend => {
      const store = await openOrderedStore(backend, { schedule: () => () => {} })
      for (const room of this.rooms) await this.#inspectRoom(store, room, where)
      await store.close()
    })
  }

  async #inspectRoom(store: Store, room: string, where: string): Promise<void> {
    const loaded: LoadedDocument = await store.load(room)
    this.ledgers.get(room)?.check(storedUpdate(loaded), `${where}, ${room} in the store`)
    const setAside = await store.listSetAside(room)
    const unexpected = setAside.filter(({ reason }) => !reason.startsWith('this copy belongs'))
    if (loaded.damaged.length + unexpected.length > 0) throw new Error(`${where}: something was set aside`)
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
    this.server.accept(wire, room, name)
    return wire
  }

  /** In runs with gaps: a page of the same browser hears of an edit before the server does. */
  #whisper(from: Page, update: Uint8Array): void {
    if (this.plan.order !== 'gaps' || this.#isCalm || !this.#chance.hits(0.2)) return
    const others = this.pagesIn(from.document).filter(page => page !== from)
    if (others.length === 0) return
    const page = this.#chance.pick(others)
    this.#time.after(this.#chance.gapMs(5), () => {
      if (this.pages.includes(page)) page.overhear(update)
    })
  }

  #newServer(): ServerProcess {
    const { clock, plan, trace, plant } = this.#parts
    return new ServerProcess({
      clock,
      plan,
      trace,
      plant,
      chance: this.#chance.fork(),
      isCalm: () => this.#isCalm,
      onLayout: layout => {
        trace.note('layout', layout)
        if (layout === 'causal') this.#hasShownParts = true
      }
    })
  }

  #died(news: 'told' | 'silent'): void {
    const { server } = this
    if (server.isOver) return
    this.trace.note('crash', news)
    server.die(news)
    this.#restartLater(server)
  }

  #restartLater(dead: ServerProcess): void {
    this.#time.after(this.#chance.gapMs(400), () => {
      if (this.server !== dead) return
      this.server = this.#newServer()
      this.inspect('after the end of a process')
        .then(() => this.#start(this.server))
        .catch((error: unknown) => this.clock.fail(error))
    })
  }

  #start(server: ServerProcess): void {
    this.trace.note('start')
    server.start(this.disk.startProcess()).catch((error: unknown) => {
      if (this.#isCalm) this.clock.fail(error)
      // The command ends when its store does not open, and is started again.
      else if (!server.isOver) this.crash('told')
    })
  }
}
