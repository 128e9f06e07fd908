/** Outlets as a way into one's own network, and what names of documents and users can do to what is sent. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type Delivery, webhookOutlet } from '../../outlets/index.ts'
import { isPublicAddress } from '../../outlets/public-addresses.ts'
import { secret, startReceiver } from '../feed/receiver.ts'
import { until } from '../support/clients.ts'
import { startServer } from '../support/server.ts'
import { textUpdate } from '../support/text.ts'

const delivery: Delivery = {
  event: {
    ...{ id: 'id', type: 'document.changed', document: 'a', version: '1.1', users: [] },
    at: new Date(0).toISOString()
  },
  authors: [],
  read: async () => null,
  signal: AbortSignal.timeout(60_000)
}

/** Whoever listens there, on every address of this machine, and how many connections it got. */
async function listener(): Promise<{ port: number; connections: () => number }> {
  let connections = 0
  const server = createServer((_, response) => void response.writeHead(204).end())
  server.on('connection', () => connections++)
  server.listen(0)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}

test.each([
  ...[
    'localhost',
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '0.0.0.0',
    '[::1]',
    '[::]'
  ],
  ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]']
])('a webhook to %s is refused before anybody is connected to', async host => {
  const { port, connections } = await listener()
  const outlet = webhookOutlet({ url: `http://${host}:${port}/`, secret })

  await expect(outlet.deliver(delivery)).rejects.toThrow(/not an address of the public internet/)
  expect(connections()).toBe(0)
})

test('a name that leads to this machine is refused where it is connected to, whatever was looked up before', async () => {
  const { port, connections } = await listener()
  const refused = webhookOutlet({ url: `http://localhost:${port}/`, secret })
  const allowed = webhookOutlet({ url: `http://localhost:${port}/`, secret, privateAddresses: 'allowed' })

  await allowed.deliver(delivery)
  await expect(refused.deliver(delivery)).rejects.toThrow(/public internet/)
  expect(connections()).toBe(1)
})

test('addresses of the special registries are not public, and others are', () => {
  const bad = [
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255'
  ]
  const worse = [
    'fd00::1',
    'fe80::1',
    'ff02::1',
    '::ffff:10.0.0.1',
    '2002:a00:1::',
    '64:ff9b::a00:1',
    '2001:db8::1',
    'x'
  ]
  expect([...bad, ...worse].filter(isPublicAddress)).toEqual([])
  expect(
    ['1.1.1.1', '93.184.215.14', '2606:4700::1111', '::ffff:1.1.1.1'].filter(each => !isPublicAddress(each))
  ).toEqual([])
})

test('a redirect into the own network is not followed', async () => {
  const { port, connections } = await listener()
  const server = createServer((_, response) => {
    response.writeHead(307, { location: `http://127.0.0.1:${port}/` }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const outlet = webhookOutlet({ url, secret, privateAddresses: 'allowed' })

  await expect(outlet.deliver(delivery)).rejects.toThrow(/redirects are not followed/)
  expect(connections()).toBe(0)
})

test('names with line breaks are in the body alone, and add no header', async () => {
  const receiver = await startReceiver()
  const server = await startServer({
    outlets: [`${receiver.url}#private=allowed`],
    outletSecret: secret,
    limits: { changeDebounceMs: 1 }
  })
  const [document, author] = ['a\r\nwebhook-id: forged', 'eve\r\nx-admin: yes']
  await server.apply(document, textUpdate('x'), { author })
  await until(() => receiver.told.length === 1, 'the event, with a signature that verifies')

  expect(receiver.told[0]).toMatchObject({ document, users: [author] })
  expect(() => webhookOutlet({ url: receiver.url, secret, headers: { 'x-a': 'b\r\nx-c: d' } })).toThrow(
    /is none/
  )
  expect(() => webhookOutlet({ url: receiver.url, secret, headers: { 'x-a\r\nx-c': 'd' } })).toThrow(
    /is none/
  )
})
