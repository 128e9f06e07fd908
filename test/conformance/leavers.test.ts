/** Hocuspocus clients that leave before the server has taken what they sent: it counts, as y-websocket's does (YW4). */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import type { Server } from '../../src/server.ts'
import { untilAsync } from '../support/clients.ts'
import { holdLoads } from '../support/disk.ts'
import {
  authFrame,
  closeFrame,
  openHocuspocus,
  type RawHocuspocus,
  step1Frame,
  step2Frame,
  updateFrameOf
} from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'

function letter(text = 'x'): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

/** 50,000 letters, each of which stands by itself. */
function manyStructs(): Uint8Array {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (let i = 0; i < 50_000; i++) doc.getText('t').insert(0, 'y')
  })
  return Y.encodeStateAsUpdate(doc)
}

/** Waits for what is on its way to the store. */
async function lengthIs(server: Server, document: string, length: number): Promise<void> {
  const read = async () => {
    const doc = new Y.Doc()
    Y.applyUpdate(doc, (await server.read(document)) ?? Uint8Array.of(0, 0))
    return doc.getText('t').length
  }
  await untilAsync(async () => (await read()) >= length, `${length} letters`)
  expect(await read()).toBe(length)
}

/** Resolves when the server has nothing of the connection any more. */
async function gone(server: Server): Promise<void> {
  const count = async () => /^chorus_connections (.*)$/m.exec(await server.metrics())?.[1]
  await untilAsync(async () => (await count()) === '0', 'the connection to be gone')
}

async function leave({ raw }: RawHocuspocus, server: Server): Promise<void> {
  raw.socket.close()
  await raw.closed()
  // Whoever is answered now was heard after the end of that one.
  await fetch(new URL('/healthz', server.url))
}

describe('a Hocuspocus client that leaves', () => {
  test.each([
    ['one', 1],
    ['several', 3]
  ])('[HP4] before its rooms are loaded: %s of its updates are kept in each', async (_, count) => {
    const store = createMemoryStore()
    const openGate = holdLoads(store)
    const server = await startServer({ store })
    const client = await openHocuspocus(server.url)
    for (const name of ['a', 'b']) {
      client.raw.send(authFrame(name, ''), step1Frame(name))
      for (let i = 0; i < count; i++) client.raw.send(updateFrameOf(name, letter()))
    }
    await leave(client, server)

    openGate()
    await gone(server)

    for (const name of ['a', 'b']) await lengthIs(server, name, count)
  })

  test('[HP4] behind an update that takes several turns: both are kept', async () => {
    const server = await startServer()
    const client = await openHocuspocus(server.url)
    await client.join('a')
    client.raw.send(updateFrameOf('a', manyStructs()), updateFrameOf('a', letter()))
    await leave(client, server)

    await gone(server)

    await lengthIs(server, 'a', 50_001)
  })

  test('[HP11] with a CLOSE behind what waits: it is over all the same', async () => {
    const store = createMemoryStore()
    const openGate = holdLoads(store)
    const server = await startServer({ store })
    const client = await openHocuspocus(server.url)
    client.raw.send(authFrame('a', ''), step1Frame('a'), updateFrameOf('a', letter()), closeFrame('a'))
    await leave(client, server)

    openGate()
    await gone(server)

    await lengthIs(server, 'a', 1)
  })

  test('[HP4] before it is let in: what it sent counts if it is, and not if it is not', async () => {
    const asked: ((access: 'write' | 'none') => void)[] = []
    const server = await startServer({
      authorize: () => new Promise(resolve => asked.push(access => resolve({ user: null, access })))
    })
    for (const access of ['none', 'write'] as const) {
      const client = await openHocuspocus(server.url)
      client.raw.send(authFrame('a', access), step1Frame('a'), step2Frame('a', letter(access)))
      await untilAsync(async () => asked.length > 0, 'the question')
      await leave(client, server)
      asked.pop()?.(access)
      await gone(server)
    }

    await lengthIs(server, 'a', 'write'.length)
  })
})
