/** The demo pages: read when they are asked for, once. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { Handler, Request } from '../../src/http/message.ts'
import { pages } from '../../src/http/pages.ts'
import { temporaryDirectory } from '../support/server.ts'

function get(handler: Handler, path: string, headers: Record<string, string> = {}) {
  return handler({ method: 'GET', path, header: name => headers[name] } as Request)
}

test('a page is read when it is first asked for, and kept', async () => {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'assets'))
  const file = join(directory, 'assets', 'a.js')
  writeFileSync(file, 'before')
  const handler = await pages(directory)
  writeFileSync(file, 'hello '.repeat(100))

  const [first, second] = await Promise.all([get(handler, '/assets/a.js'), get(handler, '/assets/a.js')])
  rmSync(file)
  const zipped = await get(handler, '/assets/a.js', { 'accept-encoding': 'gzip' })

  expect(Buffer.from(first?.body as Uint8Array).toString()).toBe('hello '.repeat(100))
  expect(second).toEqual(first)
  expect(gunzipSync(zipped?.body as Uint8Array).toString()).toBe('hello '.repeat(100))
  expect(zipped?.headers['content-encoding']).toBe('gzip')
  const tag = first?.headers.etag ?? ''
  expect((await get(handler, '/assets/a.js', { 'if-none-match': tag }))?.status).toBe(304)
})

test('a page that could not be read is tried again', async () => {
  const directory = temporaryDirectory()
  const file = join(directory, 'index.html')
  writeFileSync(file, 'hello')
  const handler = await pages(directory)
  rmSync(file)

  await expect(Promise.resolve(get(handler, '/'))).rejects.toThrow('ENOENT')

  writeFileSync(file, 'again')
  expect(Buffer.from((await get(handler, '/'))?.body as Uint8Array).toString()).toBe('again')
})

test('without a directory one page says how to build them, and there is no other', async () => {
  const handler = await pages(join(temporaryDirectory(), 'missing'))

  expect(Buffer.from((await get(handler, '/'))?.body as Uint8Array).toString()).toContain('npm run build')
  expect(await get(handler, '/text.html')).toBe(null)
})
