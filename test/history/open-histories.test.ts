// Where nobody is asked who they are: which histories everybody may read or restore.
import { afterEach, expect, test } from 'vitest'
import type { Server, ServerOptions } from '../../src/options.ts'
import { createServer } from '../../src/server.ts'
import { quietLog } from '../support/server.ts'

const servers: Server[] = []

afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.stop()))
})

test('a rule that opens its histories opens no others', async () => {
  const url = await start({
    history: [
      { documents: 'open/*', everybody: 'restore' },
      { documents: 'shown/*', everybody: 'read' },
      { documents: '**' }
    ]
  })

  expect(await statuses(url, 'open/a')).toEqual({ read: 200, name: 201 })
  expect(await statuses(url, 'shown/a')).toEqual({ read: 200, name: 403 })
  expect(await statuses(url, 'notes')).toEqual({ read: 403, name: 403 })
})

test('what openHistory says holds where a rule says nothing, and a rule may give less', async () => {
  const url = await start({
    openHistory: 'restore',
    history: [{ documents: 'private/*', everybody: 'none' }, { documents: '**' }]
  })

  expect(await statuses(url, 'notes')).toEqual({ read: 200, name: 201 })
  expect(await statuses(url, 'private/a')).toEqual({ read: 403, name: 403 })
})

test('where people sign in, a rule cannot open a history to everybody', () => {
  const history = [{ documents: '**', everybody: 'read' }] as const
  const authorize = () => ({ user: { id: 'ada' }, access: 'write' }) as const

  expect(() => createServer({ data: ':memory:', log: quietLog, history, authorize })).toThrow(TypeError)
})

async function start(options: ServerOptions): Promise<string> {
  const server = createServer({ port: 0, data: ':memory:', pages: null, log: quietLog, ...options })
  servers.push(server)
  const url = await server.listen()
  for (const document of ['open/a', 'shown/a', 'notes', 'private/a']) {
    await server.change(document, doc => doc.getText('body').insert(0, 'hello'))
  }
  return url
}

async function statuses(url: string, document: string): Promise<{ read: number; name: number }> {
  const history = `${url}/api/documents/${encodeURIComponent(document)}/history`
  const read = await fetch(`${history}/blame`)
  const name = await fetch(`${history}/versions`, { method: 'POST', body: JSON.stringify({ name: 'Draft' }) })
  return { read: read.status, name: name.status }
}
