/**
 * What a server can be told when it is made, and what can be asked of it: the public face of `createServer`. Every option
 * stands in `serverShape`, which the compiler holds equal to the types; docs/options.md is made of both.
 */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Bus } from '../bus/index.ts'
import type { Outlet } from '../outlets/index.ts'
import type { Store } from '../persistence/index.ts'
import { type Disconnected, type Disconnection, disconnectionShape } from './access/disconnects.ts'
import type { Authorize, HistoryAccess } from './access/grant.ts'
import { jwtShape } from './access/jwt.ts'
import type { Rechecked } from './access/passes.ts'
import { type Revocation, revocationShape, type Whom, whomShape } from './access/revocations.ts'
import { webhookShape } from './access/webhook.ts'
import {
  callback,
  checkOptions,
  either,
  flag,
  having,
  hidden,
  limitsOption,
  listOf,
  matching,
  oneOf,
  type ShapeOf,
  secret,
  text,
  whole
} from './base/check.ts'
import type { Limits } from './base/limits.ts'
import type { Log } from './base/log.ts'
import type { Time } from './base/time.ts'
import type { ChaosSetting } from './chaos/permission.ts'
import type { DocumentCalls } from './documents/api.ts'
import { applyShape, deleteShape, listShape, readShape } from './documents/documents.ts'
import type { DeadLetter, WhichLetter } from './feed/dead-letters.ts'
import { type HistoryRule, historyRuleShape, historyRules } from './history/policy.ts'
import type { OnChange } from './hooks/on-change.ts'
import type { HookOptions } from './hooks/options.ts'
import type { Load } from './hooks/seeds.ts'
import type { PresencePolicy } from './room/awareness.ts'
import { prefixForm } from './transport/path.ts'
import type { HocuspocusPaths } from './transport/sessions.ts'
import type { OnStateless } from './transport/stateless.ts'

export type ServerOptions = HookOptions & {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** Port to listen on; 0 (the default) picks a free one. */
  readonly port?: number
  /**
   * Where the documents are: a directory (or its `file:` URL), `./chorus-data` if none is named, as with the command; a
   * `postgres://` URL, which needs the package `pg`; or `:memory:`, which keeps nothing: the documents are gone with the
   * process.
   */
  readonly data?: string
  /** A store of your own, in place of `data`. The server does not close it. */
  readonly store?: Store
  /** `sync` (the default): nothing is seen before it would survive a power cut. */
  readonly durability?: 'sync' | 'relaxed'
  /**
   * What servers on one PostgreSQL tell each other over: a `redis://`, `nats://` or `amqp://` URL, or a bus of your own
   * (`y-chorus/bus`), which the server does not close. Only with `data: 'postgres://…'`. See docs/operating.md.
   */
  readonly bus?: string | Bus
  /** How this server is called in its logs, in metrics and `/readyz`. Default: the name of the machine, on PostgreSQL. */
  readonly nodeName?: string
  /**
   * Which documents have a history, and how far it goes back: who wrote what when, and the document as it was. The first rule
   * whose pattern matches counts. Default: none has one. See docs/operating.md.
   */
  readonly history?: readonly HistoryRule[]
  /** Path below which documents and pages are served; it begins with `/` and does not end with one. Default `/`. */
  readonly path?: string
  /**
   * Who may do what: `jwt(…)`, `webhook(…)`, or a function of your own. It is asked once per connection and document,
   * and again when a Hocuspocus client renews its token and by `recheck`; one that throws or does not answer in time
   * refuses. `none`: everybody may write everything, from anywhere. Without it the same, from this machine only.
   */
  readonly authorize?: Authorize | 'none'
  /**
   * What everybody may do with histories where nobody is asked who they are: `read` them, or `restore` as well. Default
   * `none`: a history shows what was deleted. Elsewhere the answer of `authorize` says it.
   */
  readonly openHistory?: HistoryAccess
  /** The cookie that carries a token, for pages of this server's own origin or of `origins`. Default: none does. */
  readonly tokenCookie?: string
  /** Origins (`https://example.org`) whose pages may connect. Default: any, if `authorize` is there. */
  readonly origins?: readonly string[]
  /**
   * Addresses (`10.0.0.1`, `10.0.0.0/8`, `loopback`) whose X-Forwarded-For says who connects. Default: nobody's. List a
   * proxy only if it sets the header itself: whoever it believes may be anybody.
   */
  readonly trustProxy?: readonly string[]
  /** Patterns of the names that documents may have, as in a token. Default: any. */
  readonly rooms?: readonly string[]
  /**
   * `stamped`: `user.id` and `user.name` of every awareness state are those of the grant. `as-sent` (the default): they
   * are what the client says.
   */
  readonly identity?: PresencePolicy['identity']
  /** Whether those who may only read have presence. Default `shown`. */
  readonly readers?: PresencePolicy['readers']
  /** Whoever sends it as `Authorization: Bearer` may use the HTTP API for access. At least 32 characters. */
  readonly adminToken?: string
  /**
   * Where Hocuspocus clients are served: `any-path` (the default), where a first message that is a Hocuspocus frame
   * makes it a Hocuspocus connection; `root-path`, at `path` itself only; `off`.
   */
  readonly hocuspocus?: HocuspocusPaths
  /** Gets each stateless message of Hocuspocus clients. Nobody waits for what it returns. */
  readonly onStateless?: OnStateless
  /** Whether a client's stateless message goes to the other Hocuspocus clients of its document. Default false. */
  readonly statelessRelay?: boolean
  /** Bounds that differ from the defaults: docs/operating.md lists all of them. */
  readonly limits?: Partial<Limits>
  /** Default: warnings and errors, as JSON on standard error. */
  readonly log?: Log
  /**
   * Directory of the pages served at `/`; null serves none. Default: the demo where nobody has to sign in, and none where
   * people do.
   */
  readonly pages?: string | null
  /**
   * Whether agents may edit documents over MCP, at `/mcp`, with what `authorize` gives them: see docs/agents.md. Needs the
   * package `@modelcontextprotocol/server`. Default: they may not.
   */
  readonly mcp?: boolean
  /** Whether the Chaos page may start and kill a child server: see docs/operating.md. Default `off`. */
  readonly chaos?: ChaosSetting
  /** The clock and the timers, for tests. Default: the system's. */
  readonly time?: Time
}

/** Where one of the server's own pages can come from: a scheme and a host, with nothing behind it. */
const originForm = /^(null|[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*)$/i

const busMethods = ['publish', 'subscribe', 'status', 'watch', 'counts', 'close'] as const

/** Every option of `createServer`, and what it may be. */
export const serverShape = {
  host: text('the name or address of this machine', /./),
  port: whole(0, 65_535),
  data: text('a directory, a file: or postgres:// URL, or :memory:', /./),
  store: having<Store>('a store', 'append', 'load', 'checkpoint', 'delete', 'probe', 'close'),
  durability: oneOf('sync', 'relaxed'),
  bus: hidden(either(text('the URL of a bus', /./), having<Bus>('a bus', ...busMethods))),
  nodeName: text('1 to 64 letters, digits and any of . _ : @ -', /^[\w.:@-]{1,64}$/),
  history: historyRules,
  path: text('a path that begins with / and does not end with one', prefixForm),
  authorize: either(callback<Authorize>(), oneOf('none')),
  openHistory: oneOf('none', 'read', 'restore'),
  tokenCookie: text('the name of a cookie', /^[\w!#$%&'*+.^`|~-]+$/),
  origins: listOf(
    'a list of origins, like https://example.org',
    text('an origin, like https://example.org', originForm)
  ),
  trustProxy: listOf('a list of addresses', text('an address, a range or loopback', /./)),
  rooms: listOf('a list of patterns', text('a pattern', /./)),
  identity: oneOf('as-sent', 'stamped'),
  readers: oneOf('shown', 'hidden'),
  adminToken: secret('a string of at least 32 characters', /^.{32,}$/s),
  hocuspocus: oneOf('any-path', 'root-path', 'off'),
  onStateless: callback<OnStateless>(),
  statelessRelay: flag(),
  limits: limitsOption,
  log: having<Log>('a logger, like one of pino', 'debug', 'info', 'warn', 'error'),
  pages: matching<string | null>(
    'a directory, or null',
    value => value === null || typeof value === 'string'
  ),
  mcp: flag(),
  chaos: oneOf('auto', 'on', 'off'),
  time: having<Time>('a clock', 'nowMs', 'wallMs', 'after', 'soon'),
  load: callback<Load>(),
  onChange: callback<OnChange>(),
  outlets: listOf(
    'a list of outlets',
    hidden(either(text('the address of an outlet', /./), having<Outlet>('an outlet', 'deliver', 'close')))
  ),
  outletSecret: hidden(
    matching<string | readonly string[]>('whsec_ and base64, or a list of such', value =>
      [value].flat().every(each => typeof each === 'string' && /^whsec_[\w+/=-]+$/.test(each))
    )
  )
} as const satisfies ShapeOf<ServerOptions>

/** The options of every call, by the name of their table, as docs/options.md lists them. */
export const shapes = {
  serverShape,
  historyRuleShape,
  jwtShape,
  webhookShape,
  readShape,
  applyShape,
  deleteShape,
  listShape,
  whomShape,
  disconnectionShape,
  revocationShape
}

/** Throws TypeError: what is misspelt or of another kind would be passed over in silence. */
export function checkServerOptions(options: ServerOptions): void {
  checkOptions('createServer', options, serverShape)
  if (options.identity === 'stamped' && typeof options.authorize !== 'function') {
    throw new TypeError('createServer: identity can be stamped only where people sign in: it needs authorize')
  }
  const isOpenTo = options.openHistory ?? options.history?.find(({ everybody }) => everybody !== undefined)
  if (isOpenTo !== undefined && typeof options.authorize === 'function') {
    throw new TypeError(
      'createServer: openHistory, and everybody in history, are for servers where nobody signs in; authorize says it per person'
    )
  }
}

/** A WebSocket of the package ws that an application has accepted. */
export type AcceptedWebSocket = {
  readonly readyState: number
  close(code?: number, reason?: string): void
}

export type Server = DocumentCalls & {
  /**
   * Opens the store and the port. Resolves to the server's URL. Rejects with StoreError, with EADDRINUSE, and with a
   * TypeError when nobody is asked who they are and `host` is not this machine. Nothing is left of it then. Rejects with
   * ERR_GOING_DOWN when the server is stopped meanwhile.
   */
  listen(): Promise<string>
  /**
   * Serves the WebSocket upgrades under `path` of an HTTP server of yours (Express, Fastify, Next, …) and leaves all
   * other upgrades and every request alone. Opens the store; call it once, instead of `listen`. Your server listens
   * and closes by itself.
   */
  attach(httpServer: HttpServer): Promise<void>
  /**
   * Takes over a WebSocket that was accepted elsewhere (by a framework, or a `WebSocketServer` of yours), with the request
   * that it came with: its path below `path` is the document, and access is checked as for any other. Call it in the same
   * turn in which the socket was accepted, after `listen` or `attach`, and leave the socket alone afterwards. Throws a
   * TypeError when it is no open WebSocket of the package ws, and ERR_GOING_DOWN while the server does not run.
   */
  connect(webSocket: AcceptedWebSocket, request: IncomingMessage): void
  /** Answers a request for health, metrics or pages, for servers that `attach`: mount it where you want those. */
  handle(request: IncomingMessage, response: ServerResponse): void
  /**
   * Refuses new connections, closes the present ones spread over a moment (1012: clients come back elsewhere),
   * waits until everything accepted is durable and `onChange` has been told of it, and leaves no timer, socket, thread or file open.
   */
  stop(): Promise<void>
  /**
   * Asks again about everybody who is connected as that user, to that document, or both, and applies the answer at once:
   * who may only read now, who may write, who is out (4401, 4403). Other servers on the store do the same; the counts are of
   * this one. Rejects with a TypeError when nobody is asked, and with ERR_STORE when others may not learn of it.
   */
  recheck(whom: Whom): Promise<Rechecked>
  /**
   * Takes rights away until the time is over, over restarts too, whatever tokens say, and applies it at once. Of a
   * user, of everybody in a document, or of a user in a document. `access: 'write'` gives them back. It holds on all
   * servers on the store; the counts are of this one.
   */
  revoke(revocation: Revocation): Promise<Rechecked>
  /**
   * Closes connections now (4505, with the `reason`); clients come back by themselves, so take a right away first if they
   * are not to. Of a user, to a document, or the one of that name; of several, those that all fit. Spread over a moment.
   * Other servers on the store do the same if the bus carries it; the count is of this one. Rejects with a TypeError when
   * nobody is named.
   */
  disconnect(disconnection: Disconnection): Promise<Disconnected>
  /**
   * Events that an outlet was not told of until they were given up (`outletGiveUpMs`), one at most for each document and
   * outlet: later ones are united with it. `isComplete`: whether these are all. Reads every mark. Rejects with ERR_STORE, and
   * ERR_GOING_DOWN while the server does not run.
   */
  deadLetters(): Promise<{ readonly letters: readonly DeadLetter[]; readonly isComplete: boolean }>
  /**
   * Tells the outlet again, under the same `id`, and after later events if there were any since. False: there is no such dead
   * letter. Rejects with ERR_STORE, ERR_OVERLOADED and ERR_GOING_DOWN.
   */
  repeatDeadLetter(which: WhichLetter): Promise<boolean>
  /** Removes it for good. Otherwise as `repeatDeadLetter`. */
  dropDeadLetter(which: WhichLetter): Promise<boolean>
  /** Writes a consistent copy of all documents to an empty or missing directory, while serving. */
  backup(directory: string): Promise<{ readonly keys: number; readonly bytes: number }>
  /**
   * Sends a stateless message to every Hocuspocus client of the document, also to those of other servers on the store if
   * there is a bus and it takes the message (64 KiB). Throws RangeError when it is larger than `statelessBytesMax`.
   */
  broadcastStateless(document: string, payload: string): void
  /** After `listen`. */
  readonly url: string
  /** Prometheus text, as `/metrics` serves it. */
  metrics(): Promise<string>
}
