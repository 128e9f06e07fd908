// One run: bots in one room of the child server, a network that gets worse as one likes, and kills. It ends when it is
// stopped; a new run is a new room.
import { createSignal, type Signal } from '../signal.ts'
import type { Bot, joinAsBot } from './bot.ts'
import { ChildError, childServer } from './child-server.ts'
import { Ledger } from './ledger.ts'
import { inventBot } from './names.ts'
import { createNetwork, type Network, type Toxics } from './network.ts'
import { Referee } from './referee.ts'
import type { Replica } from './replica.ts'
import { Timeline } from './timeline.ts'
import { isFailure, type Verdict } from './verdict.ts'
import { askWitness } from './witness.ts'

export type Settings = Toxics & { readonly bots: number }

export type Figures = {
  /** Promised edits found in the last comparison. */
  readonly checked: number
  /** Comparisons and examinations that ended well. */
  readonly checks: number
  readonly kills: number
  /** How long the server was away at the last kill. */
  readonly downMs: number | null
  readonly pid: number | null
}

const tickMs = 120
/** Each bot's pace: as somebody who types a word at a time. */
const pauseMs = { least: 200, most: 800 }
const editsMax = 20_000
/** Of the bots, so many are thrown away with each kill, as tabs that crash. */
const crashShare = 1 / 3
const retryMs = 1000
/** After one connection has ended, the others of a dead process end within this time. */
const deathMs = 400
/** How long what a dead process had sent may take to arrive, beside what the sliders add. */
const drainedMsMax = 5_000

export class Run {
  readonly ledger = new Ledger()
  readonly timeline = new Timeline()
  readonly network: Network
  readonly bots: Signal<readonly Bot[]>
  readonly figures = createSignal<Figures>({ checked: 0, checks: 0, kills: 0, downMs: null, pid: null })
  /** A kill is under way, from the button to the end of the examination. */
  readonly isKilling = createSignal(false)
  /** Why the last kill was refused; empty when it was not. */
  readonly complaint = createSignal('')
  readonly settings: { value: Settings }
  readonly #referee: Referee
  readonly #bots = createSignal<readonly Bot[]>([])
  readonly #panes: Replica[] = []
  readonly #address: { serverUrl: string; room: string }
  readonly #nextEditMs = new WeakMap<Bot, number>()
  readonly #timer: ReturnType<typeof setInterval>
  #joinAsBot: typeof joinAsBot | null = null
  #invented = 0
  #counted = 0
  #isAsking = false
  #isStopped = false

  constructor(address: { serverUrl: string; room: string }, settings: Settings) {
    this.settings = { value: settings }
    this.#address = address
    this.bots = this.#bots
    this.network = createNetwork({
      raw: WebSocket,
      random: Math.random,
      onServerGone: () => void this.#serverGone()
    })
    this.#referee = new Referee({
      ledger: this.ledger,
      replicas: () => [...this.#bots.value, ...this.#panes],
      askWitness: () => askWitness(address.serverUrl, address.room),
      delayMs: () => this.#delayMs(),
      isFull: () => this.#isFull(),
      onEqual: checked => {
        this.timeline.mark('check')
        this.#count({ checked, checks: this.figures.value.checks + 1 })
      }
    })
    this.network.hold()
    this.#timer = setInterval(() => this.#tick(), tickMs)
  }

  get verdict(): Signal<Verdict> {
    return this.#referee.verdict
  }

  /** The child server listens, as this process: the panes connect, and then the bots. */
  async open(pid: number | null): Promise<void> {
    this.#count({ pid })
    this.#referee.begin()
    this.network.release()
    // Their providers are not needed for the first picture.
    const { joinAsBot } = await import('./bot.ts')
    this.#joinAsBot = joinAsBot
  }

  /** A person at a pane is a replica like any other. */
  watchPane(pane: Replica): void {
    this.#panes.push(pane)
  }

  rest(isResting: boolean): void {
    this.#referee.rest(isResting)
  }

  /** Kills the server and has what it kept examined. Does nothing while that is under way. */
  async kill(): Promise<void> {
    if (this.isKilling.value || this.#isStopped || isFailure(this.verdict.value)) return
    this.isKilling.set(true)
    this.complaint.set('')
    // Whoever lost the connection a moment ago must not get in before the examination.
    this.network.hold()
    this.timeline.mark('kill')
    this.#referee.leave('down')
    try {
      const killed = await childServer.kill()
      if (killed.pidAfter === killed.pidBefore) throw new Error('the server names the same process again')
      this.#count({ downMs: killed.downMs })
    } catch (error) {
      if (error instanceof ChildError && this.network.lines > 0) return this.#kept(error.message)
      // Unreachable, or not started again: what there is now says more than what went wrong.
    }
    await this.#examine()
  }

  /** The server would not do it, and everybody is still connected. */
  #kept(why: string): void {
    this.complaint.set(`Not killed: ${why}.`)
    this.isKilling.set(false)
    this.network.release()
    this.#referee.resume()
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
    for (const bot of this.#bots.value) bot.crash()
    this.#bots.set([])
  }

  /** A connection ended that we did not end. Until it is known why, nobody comes back. */
  async #serverGone(): Promise<void> {
    if (this.isKilling.value || this.#isStopped || this.#isAsking) return
    this.network.hold()
    this.#isAsking = true
    const isAlive = await this.#isAlive()
    this.#isAsking = false
    // It was killed by hand meanwhile: that is under way.
    if (this.isKilling.value) return
    // It closed one connection, as servers may: of whoever has the same identity twice, for one.
    if (isAlive) return this.network.release()
    this.isKilling.set(true)
    this.timeline.mark('kill')
    this.#referee.leave('down')
    await this.#examine()
  }

  /** A process that dies takes all its connections along, at once. */
  async #isAlive(): Promise<boolean> {
    await wait(deathMs)
    if (this.network.lines === 0) return false
    const state = await childServer.state().catch(() => null)
    return state?.isAllowed === true && state.phase === 'up' && state.pid === this.figures.value.pid
  }

  async #examine(): Promise<void> {
    const before = this.figures.value.pid
    const pid = await this.#awaitServer()
    // What was on its way from the dead server still arrives: it was promised, too.
    await Promise.race([this.network.drained(), wait(drainedMsMax + this.#delayMs())])
    this.network.cut()
    if (this.#isStopped) return
    const orphans = this.#crashSome()
    const isKept = await this.#referee.examine(pid, orphans).catch(() => false)
    if (isKept) {
      const isOther = pid !== before
      const { checks, kills } = this.figures.value
      this.#count({
        pid,
        checks: checks + 1,
        kills: kills + (isOther ? 1 : 0),
        checked: this.ledger.promised().length
      })
      this.#referee.resume()
    }
    this.isKilling.set(false)
    if (isKept) this.network.release()
    // It did not hand the document out: it may have died again.
    else if (!isFailure(this.verdict.value) && !this.#isStopped) void this.#serverGone()
  }

  /** Resolves when the child listens; starts it if it has died by itself. */
  async #awaitServer(): Promise<number | null> {
    while (!this.#isStopped) {
      try {
        const state = await childServer.start()
        if (state.isAllowed) return state.pid
      } catch {
        // Not there, or not yet: said below, and asked again.
      }
      this.#referee.leave('unreachable')
      await wait(retryMs)
    }
    return null
  }

  #crashSome(): number {
    const bots = this.#bots.value
    const gone = bots.filter((_bot, at) => at < Math.ceil(bots.length * crashShare))
    const orphans = gone.reduce((sum, bot) => sum + bot.crash(), 0)
    this.#bots.set(bots.filter(bot => !gone.includes(bot)))
    return orphans
  }

  #tick(): void {
    if (!isFailure(this.verdict.value)) {
      this.#callBots()
      this.#write()
    }
    // What people type at the panes counts as well.
    this.timeline.count(this.ledger.edits.length - this.#counted)
    this.#counted = this.ledger.edits.length
    this.#referee.tick()
  }

  /** As many bots as the slider says. */
  #callBots(): void {
    const bots = this.#bots.value
    const missing = this.settings.value.bots - bots.length
    if (missing < 0) {
      for (const bot of bots.slice(missing)) bot.crash()
      this.#bots.set(bots.slice(0, missing))
    }
    const join = this.#joinAsBot
    if (missing <= 0 || join === null || this.isKilling.value || !this.#arePanesSettled()) return
    const home = {
      ...this.#address,
      socketClass: this.network.socketClass(() => this.settings.value),
      ledger: this.ledger,
      random: Math.random
    }
    // One at a time, as people come.
    const { person, dialect } = inventBot(this.#invented++)
    this.#bots.set([...bots, join(home, person, dialect)])
  }

  #arePanesSettled(): boolean {
    return this.#panes.every(({ connection }) => connection.value.phase !== 'connecting')
  }

  #write(): void {
    if (this.#isFull()) this.#referee.rest(true)
    if (!this.#referee.mayWrite) return
    const nowMs = performance.now()
    for (const bot of this.#bots.value) {
      const dueMs = this.#nextEditMs.get(bot) ?? Number.POSITIVE_INFINITY
      if (dueMs <= nowMs) bot.edit()
      if (bot.hasJoined && (dueMs <= nowMs || dueMs === Number.POSITIVE_INFINITY)) {
        this.#nextEditMs.set(bot, nowMs + pauseMs.least + Math.random() * (pauseMs.most - pauseMs.least))
      }
    }
  }

  #delayMs(): number {
    return this.settings.value.latencyMs + this.settings.value.jitterMs
  }

  #isFull(): boolean {
    return this.ledger.edits.length >= editsMax
  }

  #count(changed: Partial<Figures>): void {
    this.figures.set({ ...this.figures.value, ...changed })
  }
}

function wait(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
