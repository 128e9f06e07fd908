/**
 * The Next example, with the real framework in development: its packages are a third of a gigabyte, so they are installed
 * when this test runs, below `examples/.run`. It is inside the repository because Next takes no files from outside.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readText, root } from '../house/source.ts'
import { until, untilAsync } from '../support/clients.ts'
import { packedBuild, unpackInto } from '../support/package.ts'
import { npmInstall, orLoudly } from '../support/programs.ts'
import { spawnCommand, temporaryDirectory } from '../support/server.ts'
import { bodyOf, copyOf, expectOneDocument, openNotes, routesAt } from './examples.ts'

const parent = join(root, 'examples/.run')

test('route handlers share the server of the process, over hot reloads', {
  timeout: 400_000
}, async context => {
  if ((await orLoudly('Next', installNext)) === null) return context.skip()
  const directory = copyOf('next', parent)
  unpackInto(directory, (await packedBuild()).tarball)
  const env = { PORT: '0', DATA: temporaryDirectory(), NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'development' }
  const server = await spawnCommand([process.execPath, 'server.js'], { cwd: directory, env })
  const client = await openNotes(server)
  let closed = 0
  client.provider.on('connection-close', () => closed++)
  const routes = routesAt(`${server.url}/api/notes`)

  await expectOneDocument(client, routes)
  edit(join(directory, 'app/api/notes/route.js'), 'new Response(doc', "new Response('reloaded: ' + doc")
  await untilAsync(async () => (await routes.read()).startsWith('reloaded: '), 'the reload', 120_000)
  edit(
    join(directory, 'lib/chorus.js'),
    'export const',
    'globalThis.reloads = (globalThis.reloads ?? 0) + 1\nexport const'
  )
  await routes.write('again, ')

  await until(() => bodyOf(client) === 'again, the route, by a client', 'the client to see it')
  expect(await routes.read()).toBe('reloaded: again, the route, by a client')
  expect(closed).toBe(0)
  expect(server.errors()).not.toMatch(/Yjs was already imported/)
  expect(await server.terminate()).toBe(0)
})

async function installNext(): Promise<string> {
  const { dependencies } = JSON.parse(readText('examples/next/package.json')) as {
    dependencies: Record<string, string>
  }
  if (!existsSync(join(parent, 'node_modules/next/package.json'))) {
    mkdirSync(parent, { recursive: true })
    const specs = ['next', 'react', 'react-dom'].map(name => `${name}@${dependencies[name]}`)
    await npmInstall(parent, specs)
  }
  return parent
}

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8')
  expect(text).toContain(from)
  writeFileSync(file, text.replace(from, to))
}
