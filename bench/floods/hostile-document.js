/**
 * A document that takes Yjs hours to integrate, written again and again: whatever is compacted of it runs into the
 * deadline. Beside it people join it, each with another state vector.
 */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { message, writer } from './bytes.js'

const ignore = () => {}
/** Structs of each kind in one update, some 1.4 MB: the server compacts after a MiB. */
const count = 100_000
const documents = 4

export const floods = {
  'hostile-document': ({ url }) => {
    for (let n = 0; n < documents; n++) {
      void write(url, n)
      void join(url, n)
    }
  }
}

/** A new life of the structs every few seconds, by other clients: the log grows, and a compaction is always wanted. */
async function write(url, n) {
  for (let life = 0; ; life++) {
    const socket = await open(`${url}/hostile-${n}`)
    for (; socket.readyState === WebSocket.OPEN; life++) {
      await new Promise(resolve => socket.send(message(2, hostileUpdate(count, 2 + 2 * life)), resolve))
      await pause(3_000)
    }
    await pause(50)
  }
}

async function join(url, n) {
  for (let i = 0; ; i++) {
    const socket = await open(`${url}/hostile-${n}`)
    // It has some of the structs of the first life.
    if (socket.readyState === WebSocket.OPEN) socket.send(message(0, vector(2, 1 + (i % count))))
    await Promise.race([once(socket, 'close').catch(ignore), pause(1_000)])
    socket.terminate()
  }
}

async function open(address) {
  const socket = new WebSocket(address.replace(/^http/, 'ws'))
  socket.on('error', ignore)
  await Promise.race([once(socket, 'open'), once(socket, 'close')]).catch(ignore)
  return socket
}

/**
 * `size` characters of `client`, one after the other, and as many of the client before it, which all have the first of
 * them as their origin and each another as its right origin.
 */
export function hostileUpdate(size, client) {
  const bytes = writer(size * 32)
  bytes.write(2)
  for (const number of [size, client, 0]) bytes.write(number)
  bytes.copy([0x04, 1, 1, 0x74, 1, 0x61])
  for (let clock = 1; clock < size; clock++) {
    bytes.copy([0x84])
    for (const number of [client, clock - 1]) bytes.write(number)
    bytes.copy([1, 0x61])
  }
  for (const number of [size, client - 1, 0]) bytes.write(number)
  for (let clock = 0; clock < size; clock++) {
    bytes.copy([0xc4])
    for (const number of [client, 0, client, size - 1 - clock]) bytes.write(number)
    bytes.copy([1, 0x62])
  }
  bytes.write(0)
  return bytes.done()
}

function vector(client, clock) {
  const bytes = writer(32)
  for (const number of [1, client, clock]) bytes.write(number)
  return bytes.done()
}

function pause(ms) {
  return new Promise(resolve => setTimeout(resolve, ms))
}
