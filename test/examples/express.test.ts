/** The Express example, with the real framework. */
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { installInto, packedBuild } from '../support/package.ts'
import { spawnCommand, temporaryDirectory } from '../support/server.ts'
import { bodyOf, copyOf, expectOneDocument, openNotes, routesAt } from './examples.ts'

test('clients and routes have one document, on one port, also after a restart', async () => {
  const directory = copyOf('express', tmpdir())
  installInto(directory, (await packedBuild()).tarball, ['express'])
  const env = { PORT: '0', DATA: temporaryDirectory() }
  const start = () => spawnCommand([process.execPath, 'server.js'], { cwd: directory, env })
  const server = await start()
  const client = await openNotes(server)

  await expectOneDocument(client, routesAt(`${server.url}/notes/notes`))
  expect((await fetch(`${server.url}/collab/healthz`)).status).toBe(200)
  client.destroy()

  expect(await server.terminate()).toBe(0)
  expect(bodyOf(await openNotes(await start()))).toBe('the route, by a client')
})
