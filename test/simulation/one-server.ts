/** One server on a disk of its own: it comes and goes, and its disk with it. */
import { openOrderedStore } from '../../persistence/ordered-store.ts'
import type { SimulatedWrite } from '../../persistence/simulated.ts'
import { Chance } from './chance.ts'
import { FaultyDisk } from './disk.ts'
import type { PageWatch } from './page.ts'
import { PastTruth } from './past-truth.ts'
import type { Home } from './server-process.ts'
import { ServerProcess } from './server-process.ts'
import {
  type DeletionCall,
  inspectRooms,
  type Mishap,
  processParts,
  type Servers,
  type ServersParts
} from './servers.ts'
import type { Scope } from './virtual-time.ts'
import type { Wire } from './wire.ts'

export class OneServer implements Servers {
  /** What a page is owed is looked at when the process ends, and at the end of the run. */
  readonly watch: PageWatch = {
    asks: () => () => {},
    shown: () => {},
    saved: () => {},
    deletions: () => this.#deletions
  }
  readonly shown = 'of-all'
  readonly presenceMs = 0
  readonly #parts: ServersParts
  readonly #disk: FaultyDisk
  readonly truth = new PastTruth()
  readonly #inspector = new Chance(0)
  #server: ServerProcess
  #deletions = 0

  constructor(parts: ServersParts) {
    this.#parts = parts
    const { time, chance, plan, trace } = parts
    const onCrash = () => this.#died('told')
    const onWritten = (write: SimulatedWrite) => {
      if (plan.past !== null) this.truth.wroteBatch(write)
    }
    const faults = { time, chance: chance.fork(), plan: plan.disk, trace }
    this.#disk = new FaultyDisk({ ...faults, onCrash, onWritten })
    this.#server = this.#newServer()
    this.#start(this.#server)
  }

  get all(): readonly ServerProcess[] {
    return [this.#server]
  }

  accept(wire: Wire, document: string | null, page: string): void {
    this.#server.accept(wire, document, page)
  }

  crash(news: 'told' | 'silent'): void {
    if (this.#server.isOver) return
    this.#disk.disk.crash()
    this.#died(news)
  }

  endWithNext(process: ServerProcess, end: 'crash-before' | 'crash-after'): void {
    if (process === this.#server && !process.isOver) this.#disk.arm({ outcome: end, target: 'any' })
  }

  isWell(process: ServerProcess): boolean {
    return process.isUp
  }

  restart(): void {
    const server = this.#server
    if (!server.isUp) return
    this.#parts.trace.note('stop')
    server
      .stop()
      .then(() => this.#restartLater(server))
      .catch((error: unknown) => {
        const isStoreError = error instanceof Error && error.name === 'StoreError'
        // A store that fails while it closes ends the process no worse than a crash.
        if (this.#parts.isCalm() || !isStoreError) this.#parts.clock.fail(error)
        else this.crash('told')
      })
  }

  /** The process may end before or after the deletion is on disk. */
  async delete(room: string, { how, wait }: DeletionCall): Promise<void> {
    const { trace } = this.#parts
    if (how !== 'well') this.#disk.arm({ outcome: how, target: 'any' })
    // Nobody is told that a document is gone while it is not.
    this.#deletions++
    for (let isDone = false; !isDone; ) {
      const server = this.#server
      const deleting = server.isUp ? server.delete(room) : Promise.reject(new Error('it is not up'))
      deleting.then(
        () => {
          isDone = true
        },
        error => trace.note('delete failed', String(error))
      )
      await wait(500)
      while (!isDone && server === this.#server && !server.isOver && server.isUp) await wait(500)
      while (!this.#server.isUp) await wait(500)
    }
  }

  /** Documents of one server are deleted at the end of a run alone. */
  writersOf(): ReadonlySet<number> {
    return new Set()
  }

  delayTalk(): void {}

  talk(): void {}

  areTogether(): boolean {
    return true
  }

  mishaps(chance: Chance): readonly Mishap[] {
    const arm = (outcomes: readonly ('crash-before' | 'crash-after' | 'failed' | 'failed-but-written')[]) =>
      this.#disk.arm({ outcome: chance.pick(outcomes), target: chance.pick(['any', 'removal']) })
    return [
      [2, () => this.crash(chance.hits(0.8) ? 'told' : 'silent')],
      [1, () => this.restart()],
      [1, () => this.#fillDisk(chance.scaled(10, 5_000))],
      [3, () => arm(['crash-before', 'crash-after'])],
      [3, () => arm(['failed', 'failed-but-written'])]
    ]
  }

  async calm(): Promise<void> {
    this.#disk.calm()
    while (!this.#server.isUp) await this.#parts.clock.runFor(500)
  }

  async inspect(where: string): Promise<void> {
    this.#disk.heal()
    await this.#disk.inspect(async backend => {
      const store = await openOrderedStore(backend, { schedule: () => () => {} })
      await inspectRooms(store, this.#parts, { where, truth: this.truth, chance: this.#inspector })
      await store.close()
    })
  }

  #fillDisk(ms: number): void {
    this.#parts.trace.note('disk full')
    this.#disk.fill()
    this.#parts.time.after(ms, () => this.#disk.heal())
  }

  #newServer(): ServerProcess {
    return new ServerProcess(processParts(this.#parts, this.#home()))
  }

  #home(): Home {
    const { plant, trace } = this.#parts
    const openStore = (time: Scope) => {
      const backend = this.#disk.startProcess()
      return openOrderedStore(plant.backend?.(backend) ?? backend, {
        schedule: (delayMs, work) => time.after(delayMs, work),
        now: () => time.wallMs(),
        onReport: report => trace.note('store-report', report.kind),
        ...plant.storeOptions
      })
    }
    return { openStore, join: () => null, seed: null }
  }

  #died(news: 'told' | 'silent'): void {
    const server = this.#server
    if (server.isOver) return
    this.#parts.trace.note('crash', news)
    server.die(news)
    this.#restartLater(server)
  }

  #restartLater(dead: ServerProcess): void {
    const { time, chance, clock } = this.#parts
    time.after(chance.gapMs(400), () => {
      if (this.#server !== dead) return
      this.#server = this.#newServer()
      this.inspect('after the end of a process')
        .then(() => this.#start(this.#server))
        .catch((error: unknown) => clock.fail(error))
    })
  }

  #start(server: ServerProcess): void {
    this.#parts.trace.note('start')
    server.start().catch((error: unknown) => {
      if (this.#parts.isCalm()) this.#parts.clock.fail(error)
      // The command ends when its store does not open, and is started again.
      else if (!server.isOver) this.crash('told')
    })
  }
}
