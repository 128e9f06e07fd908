/**
 * Floods of few messages that cost much: very many clients in one update, long state vectors, deletions in ever other
 * places. Some are as large as the limits allow, some larger. Each is what `floods` gives as functions of the server's URL.
 */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { defaultLimits } from '../../dist/src/base/limits.js'
import { message, writer } from './bytes.js'

const { stateVectorEntriesMax: clientsMax, updateRangesMax: rangesMax } = defaultLimits
const connections = 4
const ignore = () => {}

export const floods = {
  'many-clients': ({ url }) =>
    each(() => again(url, '/clients', i => message(2, clientsUpdate(1_000_000, i)))),
  'most-clients': ({ url }) =>
    each(n => again(url, `/most-${n}`, i => message(2, clientsUpdate(clientsMax, i)))),
  'long-vectors': ({ url }) => each(() => again(url, '/vectors', i => message(0, vector(clientsMax, i)))),
  'too-long-vectors': ({ url }) => each(() => again(url, '/vectors', i => message(0, vector(1_000_000, i)))),
  'most-deletions': ({ url }) =>
    each(n => again(url, `/deletions-${n}`, i => message(2, deletions(rangesMax / 8, i)))),
  'many-deletions': ({ url }) =>
    each(n => again(url, `/deletions-${n}`, i => message(2, deletions(1_800_000, i))))
}

function each(run) {
  for (let n = 0; n < connections; n++) void run(n)
}

/** Sends one after the other, and connects anew when it was closed. */
async function again(url, path, make) {
  for (let i = 0; ; ) {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`)
    socket.on('error', ignore)
    await Promise.race([once(socket, 'open'), once(socket, 'close')]).catch(ignore)
    while (socket.readyState === WebSocket.OPEN) {
      await new Promise(resolve => socket.send(make(i++), resolve))
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** One character of each of so many clients; the same ones for the same `seed`. */
export function clientsUpdate(count, seed) {
  const bytes = writer(count * 12)
  bytes.write(count)
  for (let i = 0; i < count; i++) {
    bytes.write(1)
    bytes.write(2 ** 31 + (seed % 4) * 2 ** 24 + i)
    bytes.write(0)
    bytes.write(0)
    bytes.write(1)
  }
  bytes.write(0)
  return bytes.done()
}

export function vector(count, seed) {
  const bytes = writer(count * 12)
  bytes.write(count)
  for (let i = 0; i < count; i++) {
    bytes.write(i + 1)
    bytes.write(1 + (seed % 100))
  }
  return bytes.done()
}

/** So many deletions of one client's clocks, in other places for another `seed`. */
export function deletions(count, seed) {
  const bytes = writer(count * 12)
  bytes.write(0)
  bytes.write(1)
  bytes.write(7)
  bytes.write(count)
  for (let i = 0; i < count; i++) {
    bytes.write(16 * i + 2 * (seed % 8))
    bytes.write(1)
  }
  return bytes.done()
}
