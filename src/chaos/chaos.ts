/**
 * The Chaos page's side of the server: one child server, started on demand, killed on demand, its WebSockets reached
 * through this one. Everything is bounded: one child, so many restarts a minute, so many connections, and an end when
 * nobody is there any more. Documents of this server are out of the child's reach, and this process is never killed.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Cancel, Time } from '../base/time.ts'
import { json, type Reply, type Request } from '../http/message.ts'
import type { Route } from '../http/route.ts'
import { isUnder, pathOf } from '../transport/path.ts'
import { refuseUpgrade } from '../transport/refuse-upgrade.ts'
import { type Child, startChild } from './child.ts'
import { type Permission, refusalToAct, refusalToLook } from './permission.ts'
import { type Arrival, pipeToChild } from './pipe.ts'
import { chaosRoutes } from './routes.ts'

/** Below the server's prefix; documents whose names begin so are out of reach while this is allowed. */
const socketPath = '/chaos/ws'
const minuteMs = 60_000
/** A connection may meet so many children that are killed before they answer it. */
const handOnMax = 4

type Parts = {
  readonly permission: Permission
  readonly time: Time
  readonly limits: Limits
  readonly log: Log
}

type Life =
  | { readonly phase: 'none' }
  | { readonly phase: 'up'; readonly child: Child; readonly directory: string }
  /** It died by itself; its data is still there for the next start. */
  | { readonly phase: 'down'; readonly directory: string }
  | { readonly phase: 'stopped' }

/** What `POST /chaos/kill` answers. */
type Killed = {
  readonly pidBefore: number
  readonly pidAfter: number
  /** From the signal until the new process listened, in milliseconds. */
  readonly downMs: number
}

export class Chaos {
  readonly #parts: Parts
  readonly #sockets = new Set<Duplex>()
  #life: Life = { phase: 'none' }
  /** Starts, kills and ends happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #restartsMs: number[] = []
  #cancelIdle: Cancel = () => {}

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get routes(): Route[] {
    const acting = (act: (request: Request) => Promise<Reply>) => (request: Request) => {
      this.#check(request)
      return this.#inTurn(() => act(request))
    }
    return chaosRoutes({
      look: request => json(200, this.#stateFor(request)),
      start: acting(request => this.#startReply(request)),
      kill: acting(() => this.#killReply())
    })
  }

  /** Takes the upgrades below `/chaos/ws` over, and tells whether this was one. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, pathPrefix: string): boolean {
    const { permission, limits } = this.#parts
    const prefix = `${pathPrefix === '/' ? '' : pathPrefix}${socketPath}`
    if (permission === 'nobody' || !isUnder(pathOf(request.url ?? '/'), prefix)) return false
    const header = (name: string) => headerOf(request, name)
    // An error nobody listens to ends the process.
    stream.on('error', () => stream.destroy())
    if (refusalToAct(permission, header) !== null) refuseUpgrade(stream, '403 Forbidden')
    else if (this.#sockets.size >= limits.chaosConnectionsMax)
      refuseUpgrade(stream, '503 Service Unavailable')
    else this.#connect({ request, stream, head }, (request.url ?? '/').slice(prefix.length) || '/')
    return true
  }

  /** Ends the child and removes its data. Nothing can be started afterwards. */
  async stop(): Promise<void> {
    await this.#inTurn(() => this.#end('stopped'))
  }

  #check({ header }: Request): void {
    const refusal = refusalToAct(this.#parts.permission, header)
    if (refusal !== null) throw new Fault('ERR_FORBIDDEN', `chaos is refused: ${refusal}`)
  }

  #stateFor({ header }: Request) {
    const refusal = refusalToLook(this.#parts.permission, header)
    if (refusal !== null) return { isAllowed: false, refusal }
    const life = this.#life
    const pid = life.phase === 'up' ? life.child.pid : null
    return { isAllowed: true, phase: life.phase, pid, restartsLeft: this.#restartsLeft() }
  }

  async #startReply(request: Request): Promise<Reply> {
    await this.#start()
    return json(200, this.#stateFor(request))
  }

  async #killReply(): Promise<Reply> {
    if (this.#life.phase !== 'up') return json(409, { error: 'NOT_RUNNING', message: 'no child server runs' })
    if (this.#restartsLeft() <= 0) {
      const message = `at most ${this.#parts.limits.chaosRestartsPerMinuteMax} restarts a minute`
      return json(429, { error: 'TOO_MANY_RESTARTS', message })
    }
    const killed = await this.#restart(this.#life)
    return json(200, { ...killed, restartsLeft: this.#restartsLeft() })
  }

  async #start(): Promise<void> {
    const life = this.#life
    if (life.phase === 'up') return
    if (life.phase === 'stopped') throw new Fault('ERR_GOING_DOWN')
    const directory = life.phase === 'down' ? life.directory : await mkdtemp(join(tmpdir(), 'chorus-chaos-'))
    this.#life = { phase: 'down', directory }
    // One that did not start has left its directory.
    await this.#raise(directory).finally(() => this.#watchIdle())
  }

  async #restart({ child, directory }: Life & { phase: 'up' }): Promise<Killed> {
    const { time } = this.#parts
    const startedMs = time.nowMs()
    this.#restartsMs.push(startedMs)
    this.#life = { phase: 'down', directory }
    child.kill()
    await child.exited
    const next = await this.#raise(directory)
    return {
      pidBefore: child.pid,
      pidAfter: next.pid,
      downMs: Math.round(time.nowMs() - startedMs)
    }
  }

  async #raise(directory: string): Promise<Child> {
    const { time, limits, log } = this.#parts
    const child = await startChild({ data: directory, startMs: limits.chaosStartMs, time })
    this.#life = { phase: 'up', child, directory }
    void child.exited.then(() => {
      if (this.#life.phase !== 'up' || this.#life.child !== child) return
      log.warn({ pid: child.pid }, 'the child server of the chaos page died by itself')
      this.#life = { phase: 'down', directory }
    })
    return child
  }

  async #end(phase: 'none' | 'stopped'): Promise<void> {
    const life = this.#life
    this.#life = { phase }
    this.#cancelIdle()
    for (const socket of this.#sockets) socket.destroy()
    if (life.phase === 'none' || life.phase === 'stopped') return
    if (life.phase === 'up') {
      life.child.kill()
      await life.child.exited
    }
    await rm(life.directory, { recursive: true, force: true, maxRetries: 3 })
  }

  #connect(arrival: Arrival, path: string): void {
    const { stream } = arrival
    this.#sockets.add(stream)
    this.#cancelIdle()
    stream.once('close', () => {
      this.#sockets.delete(stream)
      this.#watchIdle()
    })
    void this.#handOn(arrival, path, handOnMax)
  }

  /** Who comes while the child restarts waits for it, instead of being turned away with an error on the console. */
  async #handOn(arrival: Arrival, path: string, triesLeft: number): Promise<void> {
    await this.#turn
    const { stream } = arrival
    if (stream.destroyed) return
    if (this.#life.phase !== 'up' || triesLeft === 0) return refuseUpgrade(stream, '503 Service Unavailable')
    const isServed = await pipeToChild(arrival, this.#life.child.port, path)
    if (!isServed && !stream.destroyed) return this.#handOn(arrival, path, triesLeft - 1)
  }

  /** A page that was closed says nothing; that nobody is connected is how we know. */
  #watchIdle(): void {
    this.#cancelIdle()
    if (this.#sockets.size > 0 || this.#life.phase === 'none' || this.#life.phase === 'stopped') return
    this.#cancelIdle = this.#parts.time.after(this.#parts.limits.chaosIdleMs, () => {
      void this.#inTurn(() => (this.#sockets.size > 0 ? Promise.resolve() : this.#end('none')))
    })
  }

  #restartsLeft(): number {
    const sinceMs = this.#parts.time.nowMs() - minuteMs
    this.#restartsMs = this.#restartsMs.filter(ms => ms > sinceMs)
    return this.#parts.limits.chaosRestartsPerMinuteMax - this.#restartsMs.length
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act)
    // The caller hears of a failure; whoever comes next does not.
    this.#turn = result.catch(() => {})
    return result
  }
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}
