/**
 * What readers over HTTP cost beside readers over WebSockets: one room, one person who writes ten times a second, and so many
 * who only read, by server-sent events or by y-websocket. For each kind it prints percentiles of the time from the edit to
 * its arrival, and the server's CPU time and memory for it.
 *
 *   node bench/streams.js [--readers 300] [--seconds 10]
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import * as Y from 'yjs'

const command = fileURLToPath(new URL('../dist/command.cjs', import.meta.url))
const { values } = parseArgs({
  options: { readers: { type: 'string', default: '300' }, seconds: { type: 'string', default: '10' } }
})
const readers = Number(values.readers)
const seconds = Number(values.seconds)
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

async function launch() {
  const child = spawn(process.execPath, [command, '--data', ':memory:', '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  for await (const line of createInterface(child.stdout)) {
    const url = /http:\/\/[^\s]+:\d+/.exec(line)?.[0]
    if (url !== undefined) return { child, url }
  }
  throw new Error('the server did not start')
}

/** CPU seconds and resident MiB of a process, as Linux tells them. */
function usageOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
  return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, mib: (Number(fields[21]) * 4096) / 2 ** 20 }
}

/** Each calls `heard` for each batch of updates, and resolves when it reads. */
const kinds = {
  sse: (url, heard) =>
    new Promise(resolve => {
      const address = `${url}/v1/yjs/bench/docs/room?offset=now&live=sse`
      const sent = request(address, response => {
        resolve(() => sent.destroy())
        response.setEncoding('latin1')
        response.on('data', text => {
          for (let n = text.split('event: data').length - 1; n > 0; n--) heard()
        })
      })
      sent.on('error', () => {})
      sent.end()
    }),
  socket: (url, heard) =>
    new Promise(resolve => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/room`)
      socket.on('open', () => socket.send(Uint8Array.of(0, 0, 1, 0)))
      socket.on('message', data => {
        // The end marker of the join (SyncStep2), and updates.
        if (data[0] === 0 && data[1] === 1) resolve(() => socket.terminate())
        if (data[0] === 0 && data[1] === 2) heard()
      })
    })
}

function percentile(times, part) {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * part)] ?? Number.NaN
}

async function measure(kind) {
  const { child, url } = await launch()
  const address = `${url}/v1/yjs/bench/docs/room`
  await fetch(address, { method: 'PUT' })
  const empty = usageOf(child.pid)
  const times = []
  let sentAt = 0
  const heard = () => {
    if (sentAt > 0) times.push(performance.now() - sentAt)
  }
  const stops = await Promise.all(Array.from({ length: readers }, () => kinds[kind](url, heard)))
  await pause(1_000)
  const before = usageOf(child.pid)
  const doc = new Y.Doc()
  for (let i = 0; i < seconds * 10; i++) {
    const vector = Y.encodeStateVector(doc)
    doc.getText('t').insert(0, 'x')
    const update = Y.encodeStateAsUpdate(doc, vector)
    sentAt = performance.now()
    const body = Uint8Array.of(update.length, ...update)
    const { status } = await fetch(address, { method: 'POST', body })
    if (status !== 204) throw new Error(`answered with ${status}`)
    await pause(100)
  }
  const after = usageOf(child.pid)
  for (const stop of stops) stop()
  child.kill()
  const expected = readers * seconds * 10
  if (times.length < expected * 0.99) throw new Error(`${times.length} of ${expected} arrived`)
  const cpuPer = ((after.cpu - before.cpu) * 1e6) / expected
  const kibPer = ((before.mib - empty.mib) * 1024) / readers
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), cpuPer, kibPer }
}

for (const kind of ['sse', 'socket', 'sse', 'socket']) {
  const { p50, p99, cpuPer, kibPer } = await measure(kind)
  console.log(
    `${kind.padEnd(7)} ${readers} readers: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ` +
      `${cpuPer.toFixed(1)} µs of CPU a delivery, ${kibPer.toFixed(1)} KiB resident a reader`
  )
}
