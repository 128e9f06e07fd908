/** Dead letters by command and over HTTP: of a running server, and of a store that no server has open. */
import { expect, onTestFinished, test } from 'vitest'
import { changeDeadLetter, listDeadLetters } from '../../src/command/dead-letters.ts'
import { createServer, type Server, type ServerOptions } from '../../src/server.ts'
import { until, untilAsync } from '../support/clients.ts'
import { quietLog, temporaryDirectory } from '../support/server.ts'
import { textUpdate } from '../support/text.ts'
import { type Receiver, secret, startReceiver } from './receiver.ts'

const adminToken = 'a token of the operator, long enough'

async function serverOn(data: string, receiver: Receiver): Promise<Server> {
  const options: ServerOptions = {
    ...{ data, adminToken, pages: null, log: quietLog, outletSecret: secret },
    outlets: [`${receiver.url}#private=allowed&name=hook`],
    limits: { changeDebounceMs: 1, outletRetryMs: 10 }
  }
  const server = createServer(options)
  await server.listen()
  onTestFinished(() => server.stop())
  return server
}

/** A document of which the receiver wants to hear nothing. */
async function withLetter(server: Server, document: string): Promise<void> {
  await server.apply(document, textUpdate('x'))
  await untilAsync(async () => {
    return (await server.deadLetters()).letters.some(letter => letter.document === document)
  }, 'the dead letter')
}

test('the command lists, repeats and drops them, with a server and without', async () => {
  const receiver = await startReceiver()
  receiver.answer = () => 410
  const data = `${temporaryDirectory()}/d`
  const server = await serverOn(data, receiver)
  for (const document of ['a', 'b', 'c']) await withLetter(server, document)
  receiver.answer = () => 200

  expect(await changeDeadLetter(data, 'repeat', { document: 'a', outlet: 'hook' })).toContain('told again')
  await until(() => receiver.told.length === 1, 'the event')
  expect(await listDeadLetters(data, 10)).toMatch(/^"b" "hook" {2}document\.created .*"it answered 410"\n"c"/)
  await server.stop()
  expect(await changeDeadLetter(data, 'drop', { document: 'b', outlet: 'hook' })).toBe(
    'removed "b" for "hook"'
  )
  expect(await changeDeadLetter(data, 'repeat', { document: 'c', outlet: 'hook' })).toContain('told again')
  expect(await listDeadLetters(data, 10)).toBe('there are no dead letters')
  await expect(changeDeadLetter(data, 'drop', { document: 'b', outlet: 'hook' })).rejects.toThrow(
    /no dead letter/
  )
  expect(receiver.told.map(({ document }) => document)).toEqual(['a'])

  await serverOn(data, receiver)
  await until(() => receiver.told.length === 2, 'the one that waited for a server')
  expect(receiver.told[1]?.document).toBe('c')
})

test('over HTTP, only the operator does it, and what is not there is 404', async () => {
  const receiver = await startReceiver()
  receiver.answer = () => 410
  const server = await serverOn(':memory:', receiver)
  await withLetter(server, 'a')
  const ask = async (action: string, body: object, token: string = adminToken) => {
    const headers = { authorization: `Bearer ${token}` }
    const url = `${server.url}/api/dead-letters/${action}`
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const which = { document: 'a', outlet: 'hook' }

  for (const action of ['list', 'repeat', 'drop'])
    expect((await ask(action, which, 'guess')).status).toBe(401)
  expect((await ask('list', {})).body).toMatchObject({ letters: [which], isComplete: true })
  expect((await ask('drop', { document: 'a' })).status).toBe(400)
  expect(await ask('drop', which)).toEqual({ status: 200, body: which })
  expect((await ask('drop', which)).status).toBe(404)
  expect((await ask('list', {})).body).toEqual({ letters: [], isComplete: true })
})
