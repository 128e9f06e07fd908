/**
 * The demo pages: the files of one directory, with validators and a strict content policy. Each is read when it is first
 * asked for, and kept: a server that nobody looks at starts without them.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Handler, Reply, Request } from './message.ts'

type Page = {
  readonly body: Uint8Array
  readonly zipped: Uint8Array
  readonly type: string
  readonly tag: string
}

const types: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.png', 'image/png'],
  ['.ico', 'image/x-icon'],
  ['.json', 'application/json; charset=utf-8'],
  ['.map', 'application/json; charset=utf-8'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.woff2', 'font/woff2']
])

const contentPolicy =
  "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
  "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"

/** A page that says how to build the real ones, for when the directory is not there. */
const notBuilt =
  '<!doctype html><meta charset="utf-8"><title>y-chorus</title><style>body{font:1rem/1.5 system-ui;max-width:40rem;' +
  'margin:4rem auto;padding:0 1rem}</style><h1>y-chorus is running</h1><p>The demo pages are not built. In a clone ' +
  'of the project, <code>npm run build</code> builds them.</p><p>Clients connect to this address with a room as ' +
  'path, for example <code>new WebsocketProvider(url, "my-room", doc)</code>.</p>'

const zip = promisify(gzip)

/**
 * Serves the files that are in the directory now; `/` is index.html. A missing directory gives one explaining page.
 */
export async function pages(directory: string): Promise<Handler> {
  const files = await listPages(directory)
  return async request => {
    if (request.method !== 'GET') return null
    const load = files.get(request.path.endsWith('/') ? `${request.path}index.html` : request.path)
    return load === undefined ? null : reply(request, await load())
  }
}

/** How each is had, by path. */
async function listPages(directory: string): Promise<ReadonlyMap<string, () => Promise<Page>>> {
  const files = new Map<string, () => Promise<Page>>()
  try {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const file = join(entry.parentPath, entry.name)
      const path = `/${relative(directory, file).split(sep).map(encodeURIComponent).join('/')}`
      files.set(
        path,
        once(async () => page(await readFile(file), extname(file)))
      )
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  if (!files.has('/index.html'))
    files.set(
      '/index.html',
      once(() => page(Buffer.from(notBuilt), '.html'))
    )
  return files
}

/** The same promise for all who ask; a new one after one that rejected. */
function once(load: () => Promise<Page>): () => Promise<Page> {
  let loading: Promise<Page> | null = null
  return () => {
    loading ??= load().catch(error => {
      loading = null
      throw error
    })
    return loading
  }
}

async function page(body: Buffer, extension: string): Promise<Page> {
  const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  return { body, zipped: await zip(body), type: types.get(extension) ?? 'application/octet-stream', tag }
}

function reply(request: Request, { body, zipped, type, tag }: Page): Reply {
  const headers = {
    'content-type': type,
    'content-security-policy': contentPolicy,
    'cache-control': 'no-cache',
    etag: tag,
    vary: 'accept-encoding'
  }
  if (request.header('if-none-match') === tag) return { status: 304, headers, body: '' }
  const isZipped = (request.header('accept-encoding') ?? '').includes('gzip') && zipped.length < body.length
  if (!isZipped) return { status: 200, headers, body }
  return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: zipped }
}
