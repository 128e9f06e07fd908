/** The `curl` lines of docs/http.md, as a reader would copy them. Each is run against a fresh server, in their order. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startServer } from '../support/server.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/http.md'), 'utf8')
const block = /```sh\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
const lines = block.split('\n').filter(line => line.startsWith('curl '))

describe.skipIf(!hasCurl())('the curl lines of docs/http.md', () => {
  test('create a document, read it as JSON and as text, and watch it', async () => {
    const server = await startServer({ port: 0 })
    const [create, asJson, asText, watch] = lines.map(line =>
      line.replaceAll('http://127.0.0.1:1234', server.url.replace(/\/$/, ''))
    )
    expect(lines).toHaveLength(4)

    await run(create)
    expect(JSON.parse(await run(asJson))).toEqual({ body: [{ insert: 'Hello' }] })
    expect(await run(asText)).toBe('Hello')
    expect(await run(watch, said => said.includes('event: document'))).toContain('"insert":"Hello"')
  })
})

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn('\n*** curl is not installed: the lines of docs/http.md are SKIPPED ***\n')
    return false
  }
}

/** What the line prints, at its end or as soon as that is enough. */
async function run(line = '', isEnough: (said: string) => boolean = () => false): Promise<string> {
  const child = spawn('sh', ['-c', `exec ${line}`])
  onTestFinished(() => void child.kill())
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes
    if (isEnough(said)) child.kill()
  })
  await once(child, 'close')
  return said
}
