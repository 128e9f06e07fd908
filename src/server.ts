/**
 * createServer: builds the parts in order, wires them, and takes them down in reverse. No side effects at import;
 * several servers live in one process.
 */
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { createMemoryStore, openLevelStore, type Store } from '../persistence/index.ts'
import { Admission } from './access/admission.ts'
import type { Authorize } from './access/grant.ts'
import { Chaos } from './chaos/chaos.ts'
import { type ChaosSetting, permissionOf } from './chaos/permission.ts'
import { createControlToken, removeControl, writeControl } from './control.ts'
import { createCompactor } from './document/compactor.ts'
import { Fault } from './errors.ts'
import type { DocumentCalls, HookOptions } from './hooks/api.ts'
import { Changes } from './hooks/changes.ts'
import { Documents } from './hooks/documents.ts'
import { Seeds } from './hooks/seeds.ts'
import { operations } from './http/operations.ts'
import { pages } from './http/pages.ts'
import { answer, type Handler } from './http/router.ts'
import { type Limits, withLimits } from './limits.ts'
import { createLog, type Log } from './log.ts'
import { createMetrics } from './metrics.ts'
import { Pacer } from './pacer.ts'
import { CheckpointCache } from './room/checkpoint-cache.ts'
import { Compactions } from './room/compactions.ts'
import { JoinHeads } from './room/join-heads.ts'
import { Journal } from './room/journal.ts'
import { Refusals } from './room/refusals.ts'
import { Rooms } from './room/rooms.ts'
import { systemTime, type Time } from './time.ts'
import { isUnder, pathOf } from './transport/path.ts'
import type { HocuspocusPaths } from './transport/sessions.ts'
import { type OnStateless, Stateless } from './transport/stateless.ts'
import { Transport } from './transport/upgrade.ts'

export type ServerOptions = HookOptions & {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** Port to listen on; 0 (the default) picks a free one. */
  readonly port?: number
  /** Directory of the documents, or `:memory:` (the default for embedders) to keep nothing. */
  readonly data?: string
  /** A store of your own, in place of `data`. The server does not close it. */
  readonly store?: Store
  /** `sync` (the default): nothing is seen before it would survive a power cut. */
  readonly durability?: 'sync' | 'relaxed'
  /** Path below which documents and pages are served. Default `/`. */
  readonly path?: string
  /**
   * Who may do what. Without it everybody may write everything. It is asked once per connection and document, and
   * again when a Hocuspocus client renews its token; one that throws or does not answer in time refuses.
   */
  readonly authorize?: Authorize
  /**
   * Where Hocuspocus clients are served: `any-path` (the default), where a first message that is a Hocuspocus frame
   * makes it a Hocuspocus connection; `root-path`, at `path` itself only; `off`.
   */
  readonly hocuspocus?: HocuspocusPaths
  /** Gets each stateless message of Hocuspocus clients. Nobody waits for what it returns. */
  readonly onStateless?: OnStateless
  /** Whether a client's stateless message goes to the other Hocuspocus clients of its document. Default false. */
  readonly statelessRelay?: boolean
  readonly limits?: Partial<Limits>
  /** Default: warnings and errors, as JSON on standard error. */
  readonly log?: Log
  /** Directory of the pages served at `/`; null serves none. Default: the demo. */
  readonly pages?: string | null
  /** Whether the Chaos page may start and kill a child server: see docs/operating.md. Default `off`. */
  readonly chaos?: ChaosSetting
  readonly time?: Time
}

export type Server = DocumentCalls & {
  /** Opens the store and, unless attached, the port. Resolves to the server's URL. Rejects with StoreError or EADDRINUSE. */
  listen(): Promise<string>
  /**
   * Serves the WebSocket upgrades under `path` of an HTTP server of yours (Express, Fastify, Next, …) and leaves all
   * other upgrades and every request alone. Opens the store; call it once, instead of `listen`. Your server listens
   * and closes by itself.
   */
  attach(httpServer: HttpServer): Promise<void>
  /** Answers a request for health, metrics or pages, for servers that `attach`: mount it where you want those. */
  handle(request: IncomingMessage, response: ServerResponse): void
  /**
   * Refuses new connections, closes the present ones spread over a moment (1012: clients come back elsewhere),
   * waits until everything accepted is durable and `onChange` has been told of it, and leaves no timer, socket, thread or file open.
   */
  stop(): Promise<void>
  /** Writes a consistent copy of all documents to an empty or missing directory, while serving. */
  backup(directory: string): Promise<{ readonly keys: number; readonly bytes: number }>
  /**
   * Sends a stateless message to every Hocuspocus client of the document that is connected to this server. Throws
   * RangeError when it is larger than `statelessBytesMax`.
   */
  broadcastStateless(document: string, payload: string): void
  /** After `listen`. */
  readonly url: string
  /** Prometheus text, as `/metrics` serves it. */
  metrics(): Promise<string>
}

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
  readonly chaos: Chaos
  readonly handlers: readonly Handler[]
  readonly controlToken: string
}

class ChorusServer implements Server {
  readonly #options: ServerOptions
  readonly #path: string
  readonly #log: Log
  readonly #metrics = createMetrics()
  #running: Running | null = null
  #httpServer: HttpServer | null = null
  #detach: () => void = () => {}
  #url: string | null = null
  #stopping: Promise<void> | null = null

  constructor(options: ServerOptions) {
    this.#options = options
    this.#path = options.path ?? '/'
    this.#log = options.log ?? createLog('warn', process.stderr)
  }

  get url(): string {
    if (this.#url === null) throw new Error('the server does not listen')
    return this.#url
  }

  async listen(): Promise<string> {
    const running = await this.#start(this.#options.host ?? '127.0.0.1')
    const httpServer = createHttpServer((request, response) => this.handle(request, response))
    this.#takeUpgrades(httpServer, running)
    try {
      await listening(httpServer, this.#options)
    } catch (error) {
      await this.stop()
      throw error
    }
    this.#httpServer = httpServer
    this.#url = urlOf(httpServer, this.#path)
    if (this.#dataDirectory !== null) {
      await writeControl(this.#dataDirectory, { url: this.#url, token: running.controlToken })
    }
    return this.#url
  }

  async attach(httpServer: HttpServer): Promise<void> {
    this.#takeUpgrades(httpServer, await this.#start(null))
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

  async #start(host: string | null): Promise<Running> {
    if (this.#running !== null || this.#stopping !== null) throw new Error('a server is started once')
    const store = await this.#openStore()
    const running = await this.#build(store, host)
    this.#running = running
    this.#metrics.collectProcess()
    return running
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

  async #build(store: Store, host: string | null): Promise<Running> {
    const time = this.#options.time ?? systemTime
    const limits = withLimits(this.#options.limits)
    const metrics = this.#metrics
    const log = this.#log
    const compactor = createCompactor({
      memoryMegabytes: limits.workerMegabytesMax,
      queueMax: limits.workerQueueMax,
      sizes: {
        wholeBytesMax: limits.wholeFrameBytesMax,
        heldBackBytesMax: limits.heldBackBytesMax,
        heldBackFrameBytes: limits.heldBackFrameBytes,
        segmentBytes: limits.segmentBytes
      }
    })
    const journal = new Journal(store, { time, metrics, spacingMs: limits.commitSpacingMs })
    const compactions = new Compactions({ store, compactor, time, limits, metrics, log })
    const refusals = new Refusals(time, limits)
    const heads = new JoinHeads(store, compactor, limits)
    const cache = new CheckpointCache(limits.checkpointCacheBytesMax)
    const pacer = new Pacer(time, limits.turnBudgetMs)
    const { load, onChange } = this.#options
    const shared = { time, limits, metrics, log }
    const seeds = load === undefined ? null : new Seeds(load, shared)
    const read = (document: string): ReturnType<Server['read']> => documents.read(document)
    const changes = onChange === undefined ? null : new Changes(onChange, { read, ...shared })
    const rooms = new Rooms({
      store,
      journal,
      seed: seeds === null ? null : document => seeds.of(document),
      changes,
      compactions,
      refusals,
      heads,
      cache,
      pacer,
      time,
      limits,
      metrics,
      log
    })
    const documents = new Documents({ rooms, store, compactor, time, limits })
    const {
      authorize = null,
      onStateless = null,
      statelessRelay = false,
      hocuspocus = 'any-path'
    } = this.#options
    const admission = new Admission(authorize, shared)
    const stateless = new Stateless({ ...shared, onStateless, isRelayed: statelessRelay })
    const transport = new Transport({ ...shared, rooms, pacer, admission, stateless, hocuspocus })
    const controlToken = createControlToken()
    const isDraining = () => this.#stopping !== null
    const chaos = new Chaos({ ...shared, permission: permissionOf(this.#options, host) })
    const handlers: Handler[] = [operations({ store, journal, metrics, isDraining, controlToken })]
    handlers.push(chaos.handler)
    if (this.#options.pages !== null) handlers.push(await pages(this.#options.pages ?? demoDirectory))
    const inside = { store, rooms, documents, seeds, changes, journal, compactions, compactor }
    return { ...inside, transport, stateless, chaos, handlers, controlToken }
  }

  #takeUpgrades(httpServer: HttpServer, { transport, chaos }: Running): void {
    const upgraded = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      if (isUnder(pathOf(request.url ?? '/'), this.#path)) {
        if (chaos.upgrade(request, stream, head, this.#path)) return
        transport.upgrade(request, stream, head, this.#path)
      } else if (httpServer.listenerCount('upgrade') === 1) {
        stream.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n')
      }
    }
    httpServer.on('upgrade', upgraded)
    this.#detach = () => void httpServer.off('upgrade', upgraded)
  }

  async #stop(): Promise<void> {
    if (this.#running !== null) {
      await Promise.all([this.#running.transport.drain(), this.#running.chaos.stop()])
      this.#detach()
      await this.#takeDown(this.#running)
    }
    if (this.#httpServer !== null) await closed(this.#httpServer)
    if (this.#dataDirectory !== null && this.#url !== null) await removeControl(this.#dataDirectory)
    this.#metrics.close()
  }

  /** In reverse order of building: what accepts first, what keeps last. */
  async #takeDown({ seeds, changes, rooms, journal, compactions, compactor, store }: Running): Promise<void> {
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

function listening(httpServer: HttpServer, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    httpServer.once('error', reject)
    httpServer.listen({ host: host ?? '127.0.0.1', port: port ?? 0 }, () => {
      httpServer.off('error', reject)
      resolve()
    })
  })
}

function closed(httpServer: HttpServer): Promise<void> {
  return new Promise(resolve => {
    httpServer.close(() => resolve())
    httpServer.closeAllConnections()
  })
}

function urlOf(httpServer: HttpServer, path: string): string {
  // `listen` was given a host and a port, so the address is none of the other kinds (a pipe, or null).
  const { address, family, port } = httpServer.address() as AddressInfo
  const host = family === 'IPv6' ? `[${address}]` : address
  return `http://${host}:${port}${path === '/' ? '' : path}`
}
