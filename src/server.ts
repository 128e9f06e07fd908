/**
 * createServer: what an application calls, and when a server starts and stops. What runs in between is built in running.ts.
 * No side effects at import; several servers live in one process.
 */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { SealedBus } from '../bus/index.ts'
import { copyStore, directoryOfStore } from '../persistence/index.ts'
import { isLoopback, openToAll } from './access/gate.ts'
import type { Visitor } from './access/grant.ts'
import type { Passes } from './access/passes.ts'
import { Fault } from './base/errors.ts'
import { withLimits } from './base/limits.ts'
import { createLog, type Log, withFields } from './base/log.ts'
import { createMetrics } from './base/metrics.ts'
import { Pacer } from './base/pacer.ts'
import { systemTime } from './base/time.ts'
import type { Documents } from './documents/documents.ts'
import type { DeadLetters } from './feed/dead-letters.ts'
import { answer } from './http/answer.ts'
import { removeControl, writeControl } from './http/control.ts'
import { closed, createListener, listening, urlOf } from './http/listener.ts'
import { pages } from './http/pages.ts'
import { Pipelines } from './http/pipelines.ts'
import { RequestBudget } from './http/request-budget.ts'
import { checkBus, defaultDirectory, nodeNameOf, type Opened, open } from './opening.ts'
import { type AcceptedWebSocket, checkServerOptions, type Server, type ServerOptions } from './options.ts'
import { build, type Running, takeDown } from './running.ts'
import { clientNetwork, proxyList } from './transport/addresses.ts'
import { isUnder, pathOf } from './transport/path.ts'
import { takeUpgrades } from './transport/takeover.ts'

export type { Server, ServerOptions } from './options.ts'

/** The demo as it lies in the package, whether this runs from `src` or from `dist/src`. */
export const demoDirectory = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../demo/dist' : '../../demo/dist', import.meta.url)
)

/** Builds nothing and opens nothing before `listen` or `attach`. */
export function createServer(options: ServerOptions = {}): Server {
  return new ChorusServer(options, null)
}

/**
 * The same with a bus that is sealed already, as tests have it: in place of the option `bus`. It stays the caller's to close.
 */
export function createNode(options: ServerOptions, bus: SealedBus): Server {
  return new ChorusServer(options, bus)
}

class ChorusServer implements Server {
  readonly #options: ServerOptions
  /** In place of the bus of the options. */
  readonly #bus: SealedBus | null
  readonly #path: string
  readonly #trustedProxies: ReturnType<typeof proxyList>
  /** How this server is called among others. */
  readonly #name: string | null
  readonly #log: Log
  readonly #metrics = createMetrics()
  readonly #pipelines = new Pipelines()
  readonly #requests: RequestBudget
  #opened: Opened | null = null
  #running: Running | null = null
  #httpServer: HttpServer | null = null
  #detach: () => void = () => {}
  #url: string | null = null
  /** Settles when a start is over, whatever became of it. */
  #starting: Promise<void> | null = null
  #stopping: Promise<void> | null = null

  constructor(options: ServerOptions, bus: SealedBus | null) {
    this.#bus = bus
    checkServerOptions(options)
    checkBus(options)
    this.#options = options
    this.#name = nodeNameOf(options)
    this.#trustedProxies = proxyList(options.trustProxy ?? [])
    this.#path = options.path ?? '/'
    const log = options.log ?? createLog('warn', process.stderr)
    this.#log = this.#name === null ? log : withFields(log, { node: this.#name })
    const time = options.time ?? systemTime
    const limits = withLimits(options.limits)
    const pacer = new Pacer(time, limits.turnBudgetMs)
    this.#requests = new RequestBudget({ time, limits, pacer, pipelines: this.#pipelines })
  }

  get url(): string {
    if (this.#url === null) throw new Error('the server does not listen')
    return this.#url
  }

  async listen(): Promise<string> {
    const { host = '127.0.0.1', authorize } = this.#options
    if (authorize === undefined && !isLoopback(host)) throw new TypeError(openToAll(host))
    return this.#startOnce(() => this.#listen(host))
  }

  attach(httpServer: HttpServer): Promise<void> {
    return this.#startOnce(async () => this.#takeUpgrades(httpServer, await this.#open(null), 'application'))
  }

  connect(webSocket: AcceptedWebSocket, request: IncomingMessage): void {
    if (this.#running === null || this.#stopping !== null) {
      throw new Fault('ERR_GOING_DOWN', 'the server does not run')
    }
    this.#running.transport.connect(webSocket, request, this.#path)
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const { url = '/' } = request
    const path = pathOf(url)
    const inner = this.#path === '/' || !isUnder(path, this.#path) ? path : path.slice(this.#path.length)
    const handlers = this.#running?.handlers ?? []
    const reply = () => {
      if (inner !== '')
        void answer(handlers, {
          request,
          response,
          url: inner + url.slice(path.length),
          visitor: () => this.#visitorOf(request),
          log: this.#log
        })
      // Pages find their files, and the address to connect to, relative to where they are.
      else response.writeHead(308, { location: `${this.#path}/` }).end()
    }
    this.#requests.take(request, response, {
      address: () => clientNetwork(request, this.#trustedProxies),
      answer: reply
    })
  }

  #visitorOf(request: IncomingMessage): Visitor {
    if (this.#running === null) throw new Fault('ERR_GOING_DOWN', 'the server does not run')
    return this.#running.transport.visitorOf(request)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async backup(directory: string): Promise<{ keys: number; bytes: number }> {
    if (this.#running === null) throw new Fault('ERR_GOING_DOWN', 'the server does not run')
    return copyStore(this.#running.store, directory)
  }

  async read(...call: Parameters<Server['read']>): ReturnType<Server['read']> {
    return this.#documents().read(...call)
  }

  async apply(...call: Parameters<Server['apply']>): ReturnType<Server['apply']> {
    return this.#documents().apply(...call)
  }

  async change(...call: Parameters<Server['change']>): ReturnType<Server['change']> {
    return this.#documents().change(...call)
  }

  async documents(...call: Parameters<Server['documents']>): ReturnType<Server['documents']> {
    return this.#documents().list(...call)
  }

  async delete(...call: Parameters<Server['delete']>): ReturnType<Server['delete']> {
    return this.#documents().delete(...call)
  }

  history(document: string): ReturnType<Server['history']> {
    if (this.#running === null || this.#stopping !== null) {
      throw new Fault('ERR_GOING_DOWN', 'the server does not run')
    }
    const { documentHistories } = this.#running
    if (documentHistories === null) throw new Fault('ERR_NO_HISTORY', 'the store keeps no histories')
    return documentHistories.of(document)
  }

  async recheck(whom: Parameters<Server['recheck']>[0]): ReturnType<Server['recheck']> {
    return this.#passes().recheck(whom)
  }

  async revoke(revocation: Parameters<Server['revoke']>[0]): ReturnType<Server['revoke']> {
    return this.#passes().revoke(revocation)
  }

  async disconnect(disconnection: Parameters<Server['disconnect']>[0]): ReturnType<Server['disconnect']> {
    if (this.#running === null || this.#stopping !== null) throw new Fault('ERR_GOING_DOWN')
    return this.#running.disconnects.disconnect(disconnection)
  }

  async deadLetters(): ReturnType<Server['deadLetters']> {
    return this.#letters().list()
  }

  async repeatDeadLetter(which: Parameters<Server['repeatDeadLetter']>[0]): Promise<boolean> {
    return this.#letters().repeat(which)
  }

  async dropDeadLetter(which: Parameters<Server['dropDeadLetter']>[0]): Promise<boolean> {
    return this.#letters().drop(which)
  }

  broadcastStateless(document: string, payload: string): void {
    this.#running?.stateless.broadcast(document, payload)
  }

  async metrics(): Promise<string> {
    return (await this.#metrics.expose()).text
  }

  /** The directory that is ours to write to, if the documents are kept in one. */
  get #dataDirectory(): string | null {
    const { store, data = defaultDirectory } = this.#options
    return store !== undefined ? null : directoryOfStore(data)
  }

  #documents(): Documents {
    if (this.#running === null || this.#stopping !== null) {
      throw new Fault('ERR_GOING_DOWN', 'the server does not run')
    }
    return this.#running.documents
  }

  #letters(): DeadLetters {
    if (this.#running === null || this.#stopping !== null) throw new Fault('ERR_GOING_DOWN')
    return this.#running.deadLetters
  }

  #passes(): Passes {
    const { passes } = this.#running ?? {}
    if (passes === undefined || this.#stopping !== null) throw new Fault('ERR_GOING_DOWN')
    return passes
  }

  /** Nothing is left of a start that fails or is overtaken by a stop; one that could open nothing may be repeated. */
  async #startOnce<T>(start: () => Promise<T>): Promise<T> {
    if (this.#starting !== null || this.#stopping !== null) throw new Error('a server is started once')
    const started = start()
    this.#starting = started.then(ignore, ignore)
    try {
      const result = await started
      if (this.#stopping !== null)
        throw new Fault('ERR_GOING_DOWN', 'the server was stopped while it started')
      return result
    } catch (error) {
      if (this.#running === null) this.#starting = null
      else await this.stop()
      throw error
    }
  }

  async #listen(host: string): Promise<string> {
    const running = await this.#open(host)
    const limits = withLimits(this.#options.limits)
    const httpServer = createListener(limits, (request, response) => this.handle(request, response))
    this.#takeUpgrades(httpServer, running, 'own')
    await listening(httpServer, host, this.#options.port ?? 0)
    this.#httpServer = httpServer
    const url = urlOf(httpServer, this.#path)
    if (this.#dataDirectory !== null) {
      await writeControl(this.#dataDirectory, { url, token: running.controlToken })
    }
    this.#url = url
    return url
  }

  async #open(host: string | null): Promise<Running> {
    // The demo is for trying: where people sign in, it would only puzzle them.
    const isOpen = typeof this.#options.authorize !== 'function'
    const { pages: directory = isOpen ? demoDirectory : null } = this.#options
    // Before anything is open that would have to be closed again.
    const demo = directory === null ? [] : [await pages(directory)]
    const opened = await open(this.#options, this.#log)
    this.#opened = opened
    this.#running = build(opened.store, {
      bus: this.#bus ?? opened.bus,
      outlets: opened.outlets,
      name: this.#name,
      options: this.#options,
      host,
      demo,
      trustedProxies: this.#trustedProxies,
      isDraining: () => this.#stopping !== null,
      metrics: this.#metrics,
      log: this.#log
    })
    await this.#running.passes.admission.revocations.restore(this.#running.store)
    await this.#running.compactions.restore()
    this.#running.past?.sweep.start()
    this.#running.feed?.start()
    this.#metrics.collectProcess()
    return this.#running
  }

  #takeUpgrades(httpServer: HttpServer, { transport, chaos }: Running, whose: 'own' | 'application'): void {
    const take = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      if (chaos.upgrade(request, stream, head, this.#path)) return
      transport.upgrade(request, stream, head, this.#path)
    }
    const time = this.#options.time ?? systemTime
    const arrived = (stream: Duplex) => this.#pipelines.leave(stream)
    const shared = { path: this.#path, arrived, take, time, log: this.#log }
    const ends = [takeUpgrades(httpServer, { ...shared, whose }), this.#pipelines.watch(httpServer)]
    this.#detach = () => ends.forEach(end => void end())
  }

  async #stop(): Promise<void> {
    // A start goes on until there is something whole to take down.
    await this.#starting
    if (this.#running !== null) {
      const { transport, streams, chaos, compactions, rooms } = this.#running
      streams.drain()
      await Promise.all([transport.drain(), chaos.stop(), compactions.beforeStop(rooms.opened())])
      await takeDown(this.#running)
    }
    await this.#opened?.close()
    if (this.#httpServer !== null) await closed(this.#httpServer)
    // Until the port is shut: an upgrade that nobody answers holds it open.
    this.#detach()
    this.#requests.close()
    if (this.#url !== null && this.#dataDirectory !== null) await removeControl(this.#dataDirectory)
    this.#metrics.close()
  }
}

function ignore(): void {}
