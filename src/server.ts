/**
 * createServer: builds the parts in order, wires them, and takes them down in reverse. No side effects at import;
 * several servers live in one process.
 */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { createMemoryStore, openLevelStore, type Store } from '../persistence/index.ts'
import { Admission } from './access/admission.ts'
import { Gate, isLoopback } from './access/gate.ts'
import { Passes } from './access/passes.ts'
import { matchesRoom } from './access/patterns.ts'
import { Chaos } from './chaos/chaos.ts'
import { permissionOf } from './chaos/permission.ts'
import { createControlToken, removeControl, writeControl } from './control.ts'
import { createCompactor } from './document/compactor.ts'
import { Fault } from './errors.ts'
import { Changes } from './hooks/changes.ts'
import { Documents } from './hooks/documents.ts'
import { Seeds } from './hooks/seeds.ts'
import { checkAdminToken, rights } from './http/admin.ts'
import { closed, createListener, listening, urlOf } from './http/listener.ts'
import { operations } from './http/operations.ts'
import { pages } from './http/pages.ts'
import { answer, type Handler } from './http/router.ts'
import { setAside } from './http/set-aside.ts'
import { type Limits, withLimits } from './limits.ts'
import { createLog, type Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import type { Server, ServerOptions } from './options.ts'
import { Pacer } from './pacer.ts'
import { CheckpointCache } from './room/checkpoint-cache.ts'
import { Compactions } from './room/compactions.ts'
import { JoinHeads } from './room/join-heads.ts'
import { Journal } from './room/journal.ts'
import { Refusals } from './room/refusals.ts'
import { Rooms } from './room/rooms.ts'
import { systemTime, type Time } from './time.ts'
import { Addresses, proxyList } from './transport/addresses.ts'
import { checkPrefix, isUnder, pathOf } from './transport/path.ts'
import { isForNobody, refuseUpgrade, servedPath } from './transport/refuse-upgrade.ts'
import { Stateless } from './transport/stateless.ts'
import { Transport } from './transport/upgrade.ts'

export type { Server, ServerOptions } from './options.ts'

/** The demo as it lies in the package, whether this runs from `src` or from `dist/src`. */
const demoDirectory = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../demo/dist' : '../../demo/dist', import.meta.url)
)

/** Builds nothing and opens nothing before `listen` or `attach`. */
export function createServer(options: ServerOptions = {}): Server {
  return new ChorusServer(options)
}

type Running = {
  readonly store: Store
  readonly rooms: Rooms
  readonly documents: Documents
  readonly seeds: Seeds | null
  readonly changes: Changes | null
  readonly journal: Journal
  readonly compactions: Compactions
  readonly compactor: ReturnType<typeof createCompactor>
  readonly transport: Transport
  readonly stateless: Stateless
  readonly passes: Passes
  readonly chaos: Chaos
  readonly handlers: readonly Handler[]
  readonly controlToken: string
}

type TransportNeeds = {
  readonly rooms: Rooms
  readonly pacer: Pacer
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

class ChorusServer implements Server {
  readonly #options: ServerOptions
  readonly #path: string
  readonly #trustedProxies: ReturnType<typeof proxyList>
  readonly #log: Log
  readonly #metrics = createMetrics()
  #running: Running | null = null
  #httpServer: HttpServer | null = null
  #detach: () => void = () => {}
  #url: string | null = null
  /** Settles when a start is over, whatever became of it. */
  #starting: Promise<void> | null = null
  #stopping: Promise<void> | null = null

  constructor(options: ServerOptions) {
    checkAdminToken(options.adminToken)
    checkPrefix(options.path ?? '/')
    if (options.identity === 'stamped' && typeof options.authorize !== 'function') {
      throw new TypeError('identity can be stamped only where people sign in: it needs authorize (--auth)')
    }
    this.#options = options
    this.#trustedProxies = proxyList(options.trustProxy ?? [])
    this.#path = options.path ?? '/'
    this.#log = options.log ?? createLog('warn', process.stderr)
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
    return this.#startOnce(async () => this.#takeUpgrades(httpServer, await this.#open(null), false))
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request.url ?? '/')
    const inner = this.#path === '/' || !isUnder(path, this.#path) ? path : path.slice(this.#path.length)
    if (inner === '') {
      // Pages find their files, and the address to connect to, relative to where they are.
      response.writeHead(308, { location: `${this.#path}/` }).end()
      return
    }
    const handlers = this.#running?.handlers ?? []
    void answer(handlers, { request, response, path: inner, log: this.#log })
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async backup(directory: string): Promise<{ keys: number; bytes: number }> {
    if (this.#running === null) throw new Fault('ERR_GOING_DOWN', 'the server does not run')
    return this.#running.store.copyTo(directory)
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

  async recheck(whom: Parameters<Server['recheck']>[0]): ReturnType<Server['recheck']> {
    return this.#passes().recheck(whom)
  }

  async revoke(revocation: Parameters<Server['revoke']>[0]): ReturnType<Server['revoke']> {
    return this.#passes().revoke(revocation)
  }

  broadcastStateless(document: string, payload: string): void {
    this.#running?.stateless.broadcast(document, payload)
  }

  async metrics(): Promise<string> {
    return (await this.#metrics.expose()).text
  }

  /** The directory that is ours to write to, if the documents are kept in one. */
  get #dataDirectory(): string | null {
    const { store, data } = this.#options
    return store !== undefined || data === undefined || data === ':memory:' ? null : data
  }

  #documents(): Documents {
    if (this.#running === null || this.#stopping !== null) {
      throw new Fault('ERR_GOING_DOWN', 'the server does not run')
    }
    return this.#running.documents
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
    this.#takeUpgrades(httpServer, running, true)
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
    const { pages: directory = demoDirectory } = this.#options
    // Before anything is open that would have to be closed again.
    const demo = directory === null ? [] : [await pages(directory)]
    this.#running = this.#build(await this.#openStore(), { host, demo })
    this.#metrics.collectProcess()
    return this.#running
  }

  async #openStore(): Promise<Store> {
    if (this.#options.store !== undefined) return this.#options.store
    const directory = this.#dataDirectory
    if (directory === null) return createMemoryStore()
    return openLevelStore(directory, {
      durability: this.#options.durability ?? 'sync',
      onReport: report => this.#log.warn({ report }, 'store report')
    })
  }

  #build(store: Store, { host, demo }: { host: string | null; demo: readonly Handler[] }): Running {
    const time = this.#options.time ?? systemTime
    const limits = withLimits(this.#options.limits)
    const metrics = this.#metrics
    const log = this.#log
    const shared = { time, limits, metrics, log }
    const compactor = createCompactor(compactorOptions(limits))
    const journal = new Journal(store, { time, metrics, spacingMs: limits.commitSpacingMs })
    const compactions = new Compactions({ ...shared, store, compactor })
    const { load, onChange, rooms: patterns, identity = 'as-sent', readers = 'shown' } = this.#options
    const seeds = load === undefined ? null : new Seeds(load, shared)
    const read = (document: string): ReturnType<Server['read']> => documents.read(document)
    const changes = onChange === undefined ? null : new Changes(onChange, { read, ...shared })
    const pacer = new Pacer(time, limits.turnBudgetMs)
    const rooms = new Rooms({
      ...shared,
      store,
      journal,
      seed: seeds === null ? null : document => seeds.of(document),
      changes,
      isAllowed: name => patterns === undefined || patterns.some(pattern => matchesRoom(pattern, name)),
      compactions,
      refusals: new Refusals(time, limits),
      heads: new JoinHeads(store, compactor, limits),
      cache: new CheckpointCache(limits.checkpointCacheBytesMax),
      pacer,
      presence: { identity, readers }
    })
    const documents = new Documents({ rooms, store, compactor, time, limits })
    const { passes, transport, stateless } = this.#buildTransport({ ...shared, rooms, pacer })
    const controlToken = createControlToken()
    const isDraining = () => this.#stopping !== null
    const chaos = new Chaos({ ...shared, permission: permissionOf(this.#options, host) })
    const { adminToken } = this.#options
    const tokens = adminToken === undefined ? [controlToken] : [controlToken, adminToken]
    const handlers: Handler[] = [
      operations({ store, journal, metrics, isDraining, controlToken }),
      rights({ passes, tokens }),
      setAside({ store, limits, tokens }),
      chaos.handler,
      ...demo
    ]
    const inside = { store, rooms, documents, seeds, changes, journal, compactions, compactor }
    return { ...inside, transport, stateless, passes, chaos, handlers, controlToken }
  }

  #buildTransport(parts: TransportNeeds) {
    const { authorize, origins = null, tokenCookie = null } = this.#options
    const { onStateless = null, statelessRelay = false, hocuspocus = 'any-path' } = this.#options
    const authentication = authorize === undefined ? 'loopback' : authorize === 'none' ? 'none' : 'asked'
    const gate = new Gate({ authentication, origins })
    const asked = authorize === undefined || authorize === 'none' ? null : authorize
    const admission = new Admission({ authorize: asked, gate, tokenCookie }, parts)
    const passes = new Passes({ ...parts, admission })
    const stateless = new Stateless({ ...parts, onStateless, isRelayed: statelessRelay })
    const addresses = new Addresses(parts.time, parts.limits)
    const trustedProxies = this.#trustedProxies
    const transport = new Transport({
      ...parts,
      passes,
      stateless,
      addresses,
      gate,
      trustedProxies,
      hocuspocus
    })
    return { passes, transport, stateless }
  }

  #takeUpgrades(httpServer: HttpServer, { transport, chaos }: Running, isOurs: boolean): void {
    const take = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      const path = pathOf(request.url ?? '/')
      if (isUnder(path, this.#path)) {
        if (chaos.upgrade(request, stream, head, this.#path)) return
        transport.upgrade(request, stream, head, this.#path)
      } else if (isOurs || isForNobody(path, httpServer, upgraded)) {
        refuseUpgrade(stream, '404 Not Found')
      }
    }
    const upgraded = Object.assign(take, { [servedPath]: this.#path })
    httpServer.on('upgrade', upgraded)
    this.#detach = () => void httpServer.off('upgrade', upgraded)
  }

  async #stop(): Promise<void> {
    // A start goes on until there is something whole to take down.
    await this.#starting
    if (this.#running !== null) {
      await Promise.all([this.#running.transport.drain(), this.#running.chaos.stop()])
      await this.#takeDown(this.#running)
    }
    if (this.#httpServer !== null) await closed(this.#httpServer)
    // Until the port is shut: an upgrade that nobody answers holds it open.
    this.#detach()
    if (this.#dataDirectory !== null && this.#url !== null) await removeControl(this.#dataDirectory)
    this.#metrics.close()
  }

  /** In reverse order of building: what accepts first, what keeps last. */
  async #takeDown(running: Running): Promise<void> {
    const { passes, stateless, seeds, changes, rooms, journal, compactions, compactor, store } = running
    passes.admission.close()
    stateless.close()
    rooms.flush()
    await journal.idle()
    await changes?.close()
    seeds?.close()
    await rooms.close()
    const compacted = compactions.close()
    await compactor.close()
    await compacted
    if (this.#options.store === undefined) await store.close()
  }
}

function compactorOptions(limits: Limits): Parameters<typeof createCompactor>[0] {
  return {
    memoryMegabytes: limits.workerMegabytesMax,
    queueMax: limits.workerQueueMax,
    sizes: {
      wholeBytesMax: limits.wholeFrameBytesMax,
      heldBackBytesMax: limits.heldBackBytesMax,
      heldBackFrameBytes: limits.heldBackFrameBytes,
      segmentBytes: limits.segmentBytes
    }
  }
}

function ignore(): void {}

function openToAll(host: string): string {
  return (
    `${host} can be reached from elsewhere, and nobody would be asked who they are: choose how people sign in ` +
    '(authorize, or --auth jwt or webhook), or name "none" for a server that is open to everybody'
  )
}
