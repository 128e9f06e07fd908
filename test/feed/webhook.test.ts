/** Webhooks: what is sent, what counts as told, and what becomes of what is not. */
import { expect, onTestFinished, test } from 'vitest'
import { OutletError, webhookOutlet } from '../../outlets/index.ts'
import { createMemoryStore } from '../../persistence/index.ts'
import { createServer, type Server, type ServerOptions } from '../../src/server.ts'
import { connect, disconnect, synced, until, untilAsync } from '../support/clients.ts'
import { quietLog, startServer } from '../support/server.ts'
import { textOf, textUpdate } from '../support/text.ts'
import { positionOf, type Receiver, secret, startReceiver } from './receiver.ts'

const quick = { changeDebounceMs: 1, changeMaxWaitMs: 20, outletRetryMs: 20, outletRetryMsMax: 50 }

function told(receiver: Receiver, more: string = ''): ServerOptions {
  return { outlets: [`${receiver.url}#private=allowed${more}`], outletSecret: secret, limits: quick }
}

test('an event is signed as Standard Webhooks says, and names who, what and how far', async () => {
  const receiver = await startReceiver()
  const server = await startServer(told(receiver))
  await server.apply('a', textUpdate('one'), { author: 'ada' })
  await until(() => receiver.told.length === 1, 'created')
  await server.apply('a', textUpdate('two'), { author: 'bob' })
  await until(() => receiver.told.length === 2, 'changed')
  await server.delete('a')
  await until(() => receiver.told.length === 3, 'deleted')

  const events = receiver.told.map(({ type, document, users }) => [type, document, users])
  expect(events).toEqual([
    ['document.created', 'a', ['ada']],
    ['document.changed', 'a', ['bob']],
    ['document.deleted', 'a', []]
  ])
  expect(new Set(receiver.told.map(({ id }) => id)).size).toBe(3)
  expect(receiver.told.map(({ at }) => new Date(at).toISOString())).toEqual(receiver.told.map(({ at }) => at))
  expect(receiver.told.every(event => event.content === undefined)).toBe(true)
})

test('what fails is told again under the same id, in order, and other documents do not wait for it', async () => {
  const receiver = await startReceiver()
  let refusals = 3
  receiver.answer = ({ document }) => (document === 'bad' && refusals-- > 0 ? 500 : 200)
  const ids = new Set<string>()
  const seen = receiver.answer
  receiver.answer = event => {
    if (event.document === 'bad' && refusals > 0) ids.add(event.id)
    return seen(event)
  }
  const server = await startServer(told(receiver))
  await server.apply('bad', textUpdate('x'))
  await until(() => ids.size > 0, 'the first attempt')
  await server.apply('good', textUpdate('x'))
  await until(() => receiver.told.length === 2, 'both')

  expect(receiver.told.map(({ document }) => document).sort()).toEqual(['bad', 'good'])
  expect([...ids]).toEqual([receiver.told.find(({ document }) => document === 'bad')?.id])
})

test('while the receiver is away, changes become one event, and are told when it is back', async () => {
  const receiver = await startReceiver()
  const server = await startServer(told(receiver))
  await server.apply('a', textUpdate('0'))
  await until(() => receiver.told.length === 1, 'the first')
  await receiver.leave()
  for (let index = 1; index <= 30; index++) {
    await server.apply('a', textUpdate(`${index}`), { author: `author ${index % 3}` })
    await new Promise(resolve => setTimeout(resolve, 3))
  }
  await receiver.comeBack()
  await until(() => receiver.told.some(event => positionOf(event) === 31), 'the last change')

  const positions = receiver.told.map(positionOf)
  expect(positions).toEqual([...positions].sort((a, b) => a - b))
  expect(receiver.told.length).toBeLessThanOrEqual(4)
  expect(new Set(receiver.told.slice(1).flatMap(({ users }) => users)).size).toBe(3)
})

test('patterns and types choose what an outlet is told, and each outlet is told by itself', async () => {
  const [some, all] = [await startReceiver(), await startReceiver()]
  some.answer = () => 503
  const server = await startServer({
    outletSecret: secret,
    limits: quick,
    outlets: [
      webhookOutlet({
        url: some.url,
        secret,
        privateAddresses: 'allowed',
        name: 'some',
        documents: ['team/*']
      }),
      `${all.url}#private=allowed&name=all&types=document.deleted&types=document.created`
    ]
  })
  await server.apply('team/a', textUpdate('x'))
  await server.apply('other', textUpdate('x'))
  await until(() => all.told.length === 2, 'the one that answers')
  await server.apply('other', textUpdate('y'))
  await server.delete('other')
  await until(() => all.told.length === 3, 'the deletion')
  some.answer = () => 200
  await until(() => some.told.length === 1, 'the other one')

  expect(all.told.map(({ type }) => type).sort()).toEqual([
    'document.created',
    'document.created',
    'document.deleted'
  ])
  expect(some.told.map(({ document }) => document)).toEqual(['team/a'])
})

test('with content, the body holds the document', async () => {
  const receiver = await startReceiver()
  const server = await startServer(told(receiver, '&content=update'))
  await server.apply('a', textUpdate('hello'))
  await until(() => receiver.told.length === 1, 'the event')

  expect(textOf(Buffer.from(receiver.told[0]?.content ?? '', 'base64'))).toBe('hello')
})

test('a redirect is not followed, and does not count as told', async () => {
  const receiver = await startReceiver()
  let redirects = 0
  receiver.answer = () => (++redirects < 3 ? 302 : 200)
  const server = await startServer(told(receiver))
  await server.apply('a', textUpdate('x'))
  await until(() => receiver.told.length === 1, 'the answer that counts')

  expect(redirects).toBe(3)
})

test('what is given up is a dead letter, is listed, and is told again or dropped when somebody says so', async () => {
  const receiver = await startReceiver()
  receiver.answer = ({ document }) => (document === 'gone' ? 410 : 200)
  const store = createMemoryStore()
  const server = await startServer({ ...told(receiver, '&name=hook'), store })
  await server.apply('gone', textUpdate('x'), { author: 'ada' })
  await server.apply('good', textUpdate('x'))
  await untilAsync(async () => (await server.deadLetters()).letters.length === 1, 'the dead letter')

  const [letter] = (await server.deadLetters()).letters
  expect(letter).toMatchObject({
    outlet: 'hook',
    document: 'gone',
    type: 'document.created',
    reason: 'it answered 410'
  })
  await untilAsync(async () => (await store.marks?.list())?.length === 1, 'the mark of the other one to go')
  receiver.answer = () => 200
  expect(await server.repeatDeadLetter({ document: 'gone', outlet: 'hook' })).toBe(true)
  await until(() => receiver.told.some(({ document }) => document === 'gone'), 'the letter')
  expect(receiver.told.find(({ document }) => document === 'gone')?.id).toBe(letter?.id)
  await untilAsync(async () => (await store.marks?.list())?.length === 0, 'the mark to go')
  expect(await server.repeatDeadLetter({ document: 'gone', outlet: 'hook' })).toBe(false)

  receiver.answer = () => 410
  await server.apply('gone', textUpdate('y'))
  await untilAsync(async () => (await server.deadLetters()).letters.length === 1, 'another one')
  expect(await server.dropDeadLetter({ document: 'gone', outlet: 'hook' })).toBe(true)
  expect((await server.deadLetters()).letters).toEqual([])
  await untilAsync(async () => (await store.marks?.list())?.length === 0, 'the mark to go')
})

test('what was not told when a server stopped is told by the next one, by whoever it was', async () => {
  const receiver = await startReceiver()
  await receiver.leave()
  const store = createMemoryStore()
  const first = await started({ ...told(receiver), store })
  await first.apply('a', textUpdate('x'), { author: 'ada' })
  await first.stop()
  expect(await store.marks?.list()).toHaveLength(1)
  await receiver.comeBack()
  await started({ ...told(receiver), store })
  await until(() => receiver.told.length === 1, 'the event')

  expect(receiver.told[0]).toMatchObject({ type: 'document.created', document: 'a', users: ['ada'] })
})

test('members are told of where somebody asks for it, once and without a version', async () => {
  const receiver = await startReceiver()
  const server = await startServer(told(receiver, '&types=member.joined&types=member.left'))
  const client = connect(server.url, 'a')
  onTestFinished(client.destroy)
  await synced(client)
  await until(() => receiver.told.length === 1, 'joined')
  await disconnect(client)
  await until(() => receiver.told.length === 2, 'left')

  expect(receiver.told.map(({ type, version }) => [type, version])).toEqual([
    ['member.joined', null],
    ['member.left', null]
  ])
})

test.each([
  ['no scheme', 'localhost/hook'],
  ['another scheme', 'ftp://user:hunter2@host/'],
  ['a setting that is none', 'https://host/#retries=3'],
  ['a type that is none', 'https://host/#types=document.read']
])('an outlet with %s is refused at the start, and the message repeats no password', async (_, outlet) => {
  const server = createServer({
    data: ':memory:',
    pages: null,
    log: quietLog,
    outlets: [outlet],
    outletSecret: secret
  })
  const failure = await server.listen().catch((error: unknown) => error)

  expect(failure).toBeInstanceOf(OutletError)
  expect(String(failure)).not.toContain('hunter2')
  await server.stop()
})

async function started(options: ServerOptions): Promise<Server> {
  const server = createServer({ pages: null, log: quietLog, ...options })
  await server.listen()
  onTestFinished(() => server.stop())
  return server
}
