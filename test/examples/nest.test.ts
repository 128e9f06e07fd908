/** The Nest example, compiled to CommonJS by the real compiler, with the real framework. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../house/source.ts'
import { until } from '../support/clients.ts'
import { installInto, packedBuild, runToEnd } from '../support/package.ts'
import { spawnCommand, temporaryDirectory } from '../support/server.ts'
import { bodyOf, copyOf, openNotes } from './examples.ts'

const packages = [
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/platform-express',
  'reflect-metadata',
  'rxjs',
  '@types/node'
]

test('clients and controllers have one document, of one yjs, also after a restart', async () => {
  const directory = copyOf('nest', tmpdir())
  installInto(directory, (await packedBuild()).tarball, packages)
  await runToEnd(directory, [process.execPath, join(root, 'node_modules/typescript/bin/tsc')])
  const env = { PORT: '0', DATA: temporaryDirectory() }
  const start = () => spawnCommand([process.execPath, 'dist/main.js'], { cwd: directory, env })
  const server = await start()
  const client = await openNotes(server)
  const notes = `${server.url}/notes/notes`

  client.doc.getText('body').insert(0, 'by a client')
  expect((await fetch(`${notes}/reviews`, { method: 'POST' })).status).toBe(201)
  await until(() => client.doc.getArray('reviews').length === 1, 'the review at the client')

  const stored = { body: 'by a client', reviews: [{ by: 'Nest' }] }
  expect(await (await fetch(notes)).json()).toEqual(stored)
  expect(server.errors()).toBe('')
  client.destroy()
  // Nest's own hooks end the process with the signal, once Chorus has stopped.
  await server.terminate()
  const again = await start()
  expect(bodyOf(await openNotes(again))).toBe('by a client')
  expect(await (await fetch(`${again.url}/notes/notes`)).json()).toEqual(stored)
})
