/**
 * Agents over MCP: Streamable HTTP without sessions, by the official package, which is loaded with the first request. Who may
 * do what is looked at for each call, as for every other request.
 */
import { isFromElsewhere, isOwnOrigin } from '../access/gate.ts'
import { Fault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { versionOf } from './description.ts'
import { answerOf, type Caller, type Tool, type ToolParts, tools } from './mcp-tools.ts'
import type { Handler, Reply, Request } from './message.ts'

type Parts = ToolParts & {
  /** Pages that may call; null: none but those of this machine. */
  readonly origins: readonly string[] | null
  /** Whether callers have to say who they are. */
  readonly asks: boolean
  readonly log: Log
}

type Fetch = (request: globalThis.Request, options: { readonly parsedBody?: unknown }) => Promise<Response>

export function mcp(parts: Parts): Handler {
  const all = tools(parts)
  return async request => {
    if (request.path !== '/mcp') return null
    check(request, parts)
    const body = request.method === 'POST' ? await request.bytes(parts.limits.editBytesMax) : null
    const fetch = await serving(all, request, parts)
    return replyOf(await fetch(webRequest(request, body), {}))
  }
}

/** A page of elsewhere must not reach a server of this machine, whatever name it calls it by (DNS rebinding). */
function check(request: Request, { origins, asks }: Parts): void {
  const { barred } = request.visitor()
  if (barred === 'not-loopback') throw new Fault('ERR_FORBIDDEN', 'barred: not-loopback')
  const origin = request.header('origin')
  const isWelcome = origin === undefined || origins?.includes(origin) === true || isOwnHere(request, origin)
  if (barred !== null || !isWelcome) throw new Fault('ERR_ORIGIN', 'a page called /mcp')
  if (asks && request.header('authorization') === undefined) throw new Fault('ERR_NOT_AUTHENTICATED')
}

/** A page of this server on its own machine: a name that was rebound to this address is not one of these. */
function isOwnHere(request: Request, origin: string): boolean {
  const host = request.header('host')
  return isOwnOrigin(origin, host) && !isFromElsewhere(request.header)
}

/** A server for one request: nothing of it is kept. */
async function serving(all: readonly Tool[], request: Request, { log }: Parts): Promise<Fetch> {
  const version = await versionOf()
  const { McpServer, createMcpHandler } = await import('@modelcontextprotocol/server')
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: 'y-chorus', version })
      for (const { name, says, isReading, input, run } of all) {
        const annotations = { readOnlyHint: isReading, destructiveHint: false, openWorldHint: false }
        server.registerTool(
          name,
          { description: says, inputSchema: input, annotations },
          async (values, context) => {
            const call = {
              request,
              caller: callerOf(request, server.server.getClientVersion()),
              signal: context.mcpReq.signal
            }
            const { text, isError } = await answerOf(() => run(values as never, call))
            return { content: [{ type: 'text', text }], isError }
          }
        )
      }
      return server
    },
    { onerror: error => log.debug({ error }, 'a request of MCP was refused') }
  )
  return (web, options) => handler.fetch(web, options)
}

/** Without sessions, many requests do not say who calls. */
function callerOf(
  request: Request,
  client: { readonly name: string; readonly version: string } | undefined
): Caller {
  const name = client?.name ?? request.header('user-agent')?.split(/[/ ]/)[0] ?? ''
  const model = request.header('agent-model') ?? null
  return { name: name === '' ? 'agent' : name.slice(0, 100), model: model?.slice(0, 100) ?? null }
}

const passed = [
  'content-type',
  'accept',
  'mcp-protocol-version',
  'mcp-session-id',
  'mcp-method',
  'mcp-name',
  'last-event-id'
]

function webRequest(request: Request, body: Uint8Array | null): globalThis.Request {
  const headers = new Headers()
  for (const name of passed) {
    const value = request.header(name)
    if (value !== undefined) headers.set(name, value)
  }
  const init = { method: request.method, headers, signal: request.gone() }
  return new globalThis.Request(
    'http://mcp.local/mcp',
    body === null ? init : { ...init, body: Buffer.from(body) }
  )
}

function replyOf({ status, headers, body }: Response): Reply {
  return {
    status,
    headers: { ...Object.fromEntries(headers), 'cache-control': 'no-store' },
    body: body === null ? '' : (body as unknown as AsyncIterable<Uint8Array>)
  }
}
