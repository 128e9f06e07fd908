// The chaos page's network, between real WebSockets and a server that echoes: late, in order, broken, and at the gate.
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import {
  cleanLine,
  createNetwork,
  type Network,
  type RawSocketClass,
  type Toxics
} from '../../demo/src/chaos/network.ts'
import { randomOf } from '../support/random.ts'

type Stage = {
  readonly network: Network
  readonly url: string
  readonly server: WebSocketServer
  gone(): number
}

test('messages come late and in order, however much each is held', async () => {
  const { network, url } = await echo()
  const socket = open(network, url, { ...cleanLine, latencyMs: 30, jitterMs: 60 })
  const heard = hear(socket)
  await opened(socket)
  const startedMs = performance.now()

  for (let number = 0; number < 50; number++) socket.send(String(number))
  await expect.poll(() => heard.length).toBe(50)

  expect(heard).toEqual(Array.from({ length: 50 }, (_, number) => String(number)))
  // Held on the way there and on the way back.
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(60)
})

test('people overtake each other', async () => {
  const { network, url } = await echo()
  const order: string[] = []
  const slow = open(network, url, { ...cleanLine, latencyMs: 80 })
  const quick = open(network, url, cleanLine)
  slow.onmessage = () => order.push('slow')
  quick.onmessage = () => order.push('quick')
  await Promise.all([opened(slow), opened(quick)])

  slow.send('first')
  quick.send('second')

  await expect.poll(() => order).toEqual(['quick', 'slow'])
})

test('a lost message breaks its connection, and nothing behind it arrives', async () => {
  const chances = [1, 1, 0, 1, 1]
  const { network, url, gone } = await echo(() => chances.shift() ?? 1)
  let toxics = cleanLine
  const socket = network.socketClass(() => toxics)
  const line = new socket(url)
  const heard = hear(line)
  await opened(line)
  const closed = once(line, 'close')
  toxics = { ...cleanLine, lossShare: 0.5 }
  chances.splice(0, chances.length, 1, 1, 0)

  for (const word of ['arrives', 'lost', 'behind']) line.send(word)
  const { code } = (await closed) as Event & { code: number }

  expect(code).toBe(1006)
  expect(line.readyState).toBe(3)
  expect(heard.filter(word => word !== 'arrives')).toEqual([])
  // That was the network, not the server.
  expect(gone()).toBe(0)
  await network.drained()
})

test('when the server goes it is noticed once for each, and what it had sent still arrives first', async () => {
  const { network, url, server, gone } = await echo()
  const socket = open(network, url, { ...cleanLine, latencyMs: 40 })
  const order: string[] = []
  socket.onmessage = () => order.push('message')
  socket.onclose = () => order.push('close')
  await opened(socket)
  const [peer] = server.clients
  peer?.send('the last word')
  await new Promise(resolve => setImmediate(resolve))

  peer?.terminate()

  await expect.poll(gone).toBe(1)
  await network.drained()
  expect(order).toEqual(['message', 'close'])
})

test('nobody passes a held gate, not even who was on the way, and all pass when it opens', async () => {
  const { network, url, server, gone } = await echo()
  const early = open(network, url, cleanLine)
  network.hold()
  const late = open(network, url, cleanLine)

  await once(early, 'close')
  await network.drained()
  expect(late.readyState).toBe(0)

  network.release()
  await opened(late)

  await expect.poll(() => server.clients.size).toBe(1)
  expect(gone()).toBe(0)
})

test('one that is closed while it waits at the gate never dials', async () => {
  const { network, url, server } = await echo()
  network.hold()
  const socket = open(network, url, cleanLine)

  socket.close()
  network.release()
  const other = open(network, url, cleanLine)
  await opened(other)

  expect(socket.readyState).toBe(3)
  expect(server.clients.size).toBe(1)
})

test('what was sent before closing still goes out', async () => {
  const { network, url, server, gone } = await echo()
  const socket = open(network, url, { ...cleanLine, latencyMs: 20 })
  const heard: string[] = []
  server.on('connection', peer => peer.on('message', data => heard.push(String(data))))
  await opened(socket)

  socket.send('farewell')
  socket.close()

  await expect.poll(() => heard).toEqual(['farewell'])
  await network.drained()
  expect(gone()).toBe(0)
})

async function echo(random: () => number = randomOf(1)): Promise<Stage> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', peer => peer.on('message', data => peer.send(String(data))))
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(() => {
    for (const peer of server.clients) peer.terminate()
    server.close()
  })
  let goneCount = 0
  const network = createNetwork({
    raw: WebSocket as unknown as RawSocketClass,
    random,
    onServerGone: () => {
      goneCount += 1
    }
  })
  const { port } = server.address() as { port: number }
  return { network, url: `ws://127.0.0.1:${port}`, server, gone: () => goneCount }
}

function open(network: Network, url: string, toxics: Toxics): globalThis.WebSocket {
  const socketClass = network.socketClass(() => toxics)
  return new socketClass(url)
}

function opened(socket: globalThis.WebSocket): Promise<unknown> {
  return once(socket, 'open')
}

function once(socket: globalThis.WebSocket, type: 'open' | 'close'): Promise<Event> {
  return new Promise(resolve => socket.addEventListener(type, resolve as () => void, { once: true }))
}

function hear(socket: globalThis.WebSocket): string[] {
  const heard: string[] = []
  socket.addEventListener('message', ({ data }: { data: unknown }) => heard.push(String(data)))
  return heard
}
