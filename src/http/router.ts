/**
 * The table of routes as a handler: one that a request is for is found, who asks is looked at, then what the request says is
 * read as declared. It knows nothing of Node's http, of WebSockets or documents.
 */
import type { z } from 'zod'
import { Fault } from '../base/errors.ts'
import { parseJson } from '../base/json.ts'
import { defaultLimits } from '../base/limits.ts'
import type { Asker } from './askers.ts'
import { type Handler, json, type Reply, type Request } from './message.ts'
import type { BytesBody, Fields, JsonBody, Route, Who } from './route.ts'

/** Who asks, or the Fault that they may not. `document`: that of the path, for `Who` that people may be. */
export type Rights = (request: Request, who: Who, document: string) => Asker | null | Promise<Asker | null>

/** What the parts of a path that begin with `:` or `*` stand for, still encoded. */
type Encoded = Readonly<Record<string, string>>

type Matcher = { readonly routes: Route[]; readonly match: (path: string) => Encoded | null }

/**
 * Of several paths that match, the one with most literal parts counts; one that is there under other methods is answered
 * with 405. Rights are checked before anything of the body is read.
 */
export function routed(routes: readonly Route[], rights: Rights): Handler {
  const find = finder(routes)
  return request => {
    const found = find(request.path)
    if (found === null) return null
    const { route, encoded } = chosen(found, request.method)
    if (route === undefined) return otherMethods(found.routes.map(({ method }) => method))
    return ask(route, request, { encoded, rights })
  }
}

type Found = { readonly routes: readonly Route[]; readonly encoded: Encoded }

function chosen({ routes, encoded }: Found, method: string) {
  return { route: routes.find(route => route.method === method), encoded }
}

/** Paths without parameters are looked up; the others are tried in turn. */
function finder(routes: readonly Route[]): (path: string) => Found | null {
  const byPath = new Map<string, Matcher>()
  for (const route of routes) {
    const matcher = byPath.get(route.path)
    if (matcher === undefined) byPath.set(route.path, { routes: [route], match: matcherOf(route.path) })
    else matcher.routes.push(route)
  }
  const tried = [...byPath]
    .filter(([path]) => /[:*]/.test(path))
    .sort(([one], [other]) => literals(other) - literals(one))
    .map(([, matcher]) => matcher)
  const none: Encoded = {}
  return path => {
    const literal = byPath.get(path)
    if (literal !== undefined) return { routes: literal.routes, encoded: none }
    for (const { routes, match } of tried) {
      const encoded = match(path)
      if (encoded !== null) return { routes, encoded }
    }
    return null
  }
}

function literals(path: string): number {
  return path.split('/').filter(part => part !== '' && !/^[:*]/.test(part)).length
}

function matcherOf(pattern: string): (path: string) => Encoded | null {
  const names: string[] = []
  const form = pattern
    .replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/([:*])(\w+)/g, (_, kind, name) => {
      names.push(name)
      return kind === ':' ? '([^/]+)' : '(.+)'
    })
  const matches = new RegExp(`^${form}$`)
  return path => {
    const values = matches.exec(path)
    if (values === null) return null
    return Object.fromEntries(names.map((name, at) => [name, values[at + 1] ?? '']))
  }
}

type Asking = { readonly encoded: Encoded; readonly rights: Rights }

async function ask(route: Route, request: Request, { encoded, rights }: Asking): Promise<Reply> {
  const given: Record<string, string> = {}
  for (const [name, part] of Object.entries(encoded)) given[name] = decoded(part)
  const { who, reply, asksItself = false } = route
  const asker = who === 'anyone' || asksItself ? null : await rights(request, who, given.document ?? '')
  const parameters = valuesOf(route.parameters, name => given[name])
  const query = valuesOf(route.query, name => request.query.get(name) ?? undefined)
  const headers = valuesOf(route.headers, request.header)
  const body = await bodyOf(route.body ?? null, request)
  return reply({ request, parameters, query, headers, body, asker })
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    const publicReason = 'a path with escapes that are none; a name is written with encodeURIComponent'
    throw new Fault('ERR_BAD_MESSAGE', publicReason, { publicReason })
  }
}

const nothing = {}

function valuesOf(fields: Fields | undefined, given: (name: string) => string | undefined) {
  if (fields === undefined) return nothing
  const values: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(fields)) values[name] = read(schema, given(name), name)
  return values
}

/** What is wrong is told by the name of the field. */
function read<S extends z.ZodType>(schema: S, value: unknown, name: string): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const place = [name, ...(issue?.path ?? [])].join('.').replace(/^\./, '')
  throw wrong(place === '' ? (issue?.message ?? '') : `${place}: ${issue?.message}`)
}

/** What is wrong with a request, as it may be told. */
export function wrong(publicReason: string): Fault {
  return new Fault('ERR_BAD_MESSAGE', publicReason, { publicReason })
}

async function bodyOf(body: JsonBody | BytesBody | null, request: Request): Promise<never> {
  // What a body is, is the route's to know: `route` has tied the two together.
  if (body === null) return null as never
  if (body.form === 'json') return (await readJson(body, request)) as never
  const type = typeOf(body, request)
  return { type, bytes: () => request.bytes(body.bytesMax) } as never
}

/** Without a content type it is the first of those that are taken. */
function typeOf({ types }: BytesBody, request: Request): string {
  const names = Object.keys(types)
  const [given = ''] = (request.header('content-type') ?? names[0] ?? '').split(';')
  const type = given.trim().toLowerCase()
  if (names.includes(type)) return type
  const publicReason = `the header Content-Type must be ${names.join(' or ')}`
  throw new Fault('ERR_MEDIA_TYPE', publicReason, { publicReason })
}

async function readJson({ schema, bytesMax }: JsonBody, request: Request): Promise<unknown> {
  return readAs(schema, await request.bytes(bytesMax))
}

/** Throws ERR_BAD_MESSAGE unless the bytes are JSON that fits the schema. */
export function readAs<S extends z.ZodType>(schema: S, bytes: Uint8Array): z.output<S> {
  let value: unknown
  try {
    value = parseJson(bytes, defaultLimits.jsonDepthMax)
  } catch {
    // What JSON.parse says quotes the body.
    throw wrong('the body is not JSON')
  }
  return read(schema, value, '')
}

function otherMethods(methods: readonly string[]): Reply {
  const allow = [...new Set(methods)].join(', ')
  const reply = json(405, { error: 'ERR_METHOD', message: `this address takes ${allow}` })
  return { ...reply, headers: { ...reply.headers, allow } }
}
