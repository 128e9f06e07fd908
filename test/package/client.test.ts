/** The client as applications get it: how large it is in their bundle, and that nothing of the server comes with it. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { installInto, packedBuild, runToEnd } from '../support/package.ts'

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'chorus-client-')))
const bytesMax = 12 * 1024
/** What an application with Yjs has in any case. */
const beside = /^(yjs|y-protocols|lib0)(\/|$)/

beforeAll(async () => {
  installInto(directory, (await packedBuild()).tarball, ['ws'])
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('is less than 12 KB compressed beside Yjs, and imports nothing but Yjs', async () => {
  const bundle = await bundled("export { ChorusProvider } from 'y-chorus/client'")

  const compressed = gzipSync(bundle.code, { level: 9 }).length
  console.log(`y-chorus/client: ${compressed} bytes compressed`)

  expect(compressed).toBeLessThan(bytesMax)
  expect(bundle.imports.filter(name => !beside.test(name))).toEqual([])
})

const program = `
const server = createServer({ data: ':memory:', pages: null, log: createLog('silent') })
await server.listen()
const doc = new Y.Doc()
const provider = new ChorusProvider(server.url, 'room', doc, { WebSocketPolyfill: WebSocket })
doc.getText('t').insert(0, 'x')
await provider.saved()
console.log(provider.getSnapshot().saved)
provider.destroy()
await server.stop()
`
const names =
  "{ ChorusProvider } = await load('y-chorus/client'), { createServer, createLog } = await load('y-chorus')"
const others = "Y = await load('yjs'), { WebSocket } = await load('ws')"

test.each([
  ['import', 'mjs', `const load = name => import(name)\nconst ${names}, ${others}\n${program}`],
  ['require', 'cjs', `const load = require\n;(async () => { const ${names}, ${others}\n${program} })()`]
])('runs in Node by %s, with the Yjs of the application', async (_, ending, code) => {
  writeFileSync(join(directory, `main.${ending}`), code)

  // Yjs complains when it is loaded twice.
  expect(await runToEnd(directory, [process.execPath, `main.${ending}`])).toBe('yes\n')
})

async function bundled(code: string): Promise<{ code: string; imports: readonly string[] }> {
  const input = join(directory, 'input.js')
  writeFileSync(input, code)
  const build = await rolldown({ input, external: beside, logLevel: 'silent' })
  const { output } = await build.generate({ format: 'esm', minify: true })
  await build.close()
  const [entry] = output
  return { code: entry.code, imports: entry.imports }
}
