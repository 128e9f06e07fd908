/**
 * What a room that behaves feels of floods beside it, in the same server process. Two people write to each other 20 times
 * a second; meanwhile another process floods the server. Prints one line for each flood: percentiles of the delivery
 * times, the server's memory before, at most, and some seconds after, its bound where one is stated, and how often the two
 * were closed.
 *
 *   node bench/floods.js [--seconds 10] [--store level|memory] [flood ...]
 */
import { fork, spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { floods as costly } from './floods/costly.js'
import { floods as hostileDocument } from './floods/hostile-document.js'
import { floods as requests } from './floods/requests.js'
import { floods as unfinished } from './floods/unfinished.js'

const file = fileURLToPath(import.meta.url)
const command = fileURLToPath(new URL('../dist/command.cjs', import.meta.url))
const application = fileURLToPath(new URL('floods/application.js', import.meta.url))
const step1 = Uint8Array.of(0, 0, 1, 0)
const ignore = () => {}

/**
 * Each is a function of the server's URL, or `run` and beside it `memoryMiB`, the bound of what the server may take,
 * `signsIn`, where only who has a token is let in, and `isAttached`, where the HTTP server is an application's.
 */
const floods = {
  none: () => {},
  'half-open': {
    run: ({ url }) => {
      for (let i = 0; i < 10_000; i++) tcp(url, '')
    },
    memoryMiB: 400
  },
  'slow-loris': ({ url }) => {
    const sockets = Array.from({ length: 2_000 }, () => tcp(url, 'GET /x HTTP/1.1\r\nHost: x\r\n'))
    setInterval(() => {
      for (const socket of sockets) socket.write('X')
    }, 500)
  },
  'tiny-frames': ({ url }) => each(50, () => endless(url, '/tiny', () => Uint8Array.of(3))),
  pings: ({ url }) => each(50, () => endless(url, '/pings', null)),
  updates: ({ url }) => each(20, i => endless(url, '/flooded', updates(i))),
  'updates-everywhere': ({ url }) => each(100, i => endless(url, `/flooded-${i}`, updates(i))),
  cursors: ({ url }) => each(100, i => endless(url, '/cursors', cursors(i))),
  rooms: ({ url }) => each(20, i => endless(url, '/', rooms(i))),
  'big-states': ({ url }) => each(10, i => again(url, '/states', bigState(i))),
  ...costly,
  ...requests,
  ...unfinished,
  ...hostileDocument
}

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      store: { type: 'string', default: 'level' }
    },
    allowPositionals: true
  })
  for (const name of positionals.length > 0 ? positionals : Object.keys(floods)) {
    const directory = await mkdtemp(join(tmpdir(), 'chorus-floods-'))
    const data = values.store === 'memory' ? ':memory:' : join(directory, 'data')
    print(await measure({ name, seconds: Number(values.seconds), data, directory }))
    await rm(directory, { recursive: true, force: true })
  }
}

async function measure({ name, seconds, data, directory }) {
  const { signsIn = false, isAttached = false, memoryMiB = null } = floods[name]
  const access = signsIn ? await signInWith(join(directory, 'secret')) : { args: [], query: '' }
  const program = isAttached ? [application, data] : [command, '--port', '0', '--data', data, ...access.args]
  const server = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await listening(server)
  const calm = fork(file, ['calm', url, access.query])
  await once(calm, 'message')
  const before = await memory(url)
  const flood = fork(file, ['flood', url, name])
  // A flood comes from other machines: here it has what the server and who measures leave.
  setPriority(flood.pid, 19)
  let most = before
  const endMs = Date.now() + seconds * 1000
  while (Date.now() < endMs) {
    await pause(500)
    most = Math.max(most, (await residentMiB(server.pid)) ?? (await memory(url)))
  }
  flood.kill('SIGKILL')
  calm.send('report')
  const [{ times, closed }] = await once(calm, 'message')
  await pause(3_000)
  const after = await memory(url)
  calm.kill('SIGKILL')
  server.kill('SIGKILL')
  await once(server, 'exit')
  return { name, times, closed, before, most, after, memoryMiB }
}

/** What lets the two in, and nobody else. */
async function signInWith(secretFile) {
  const secret = 'a secret of this run of the floods alone'
  await writeFile(secretFile, secret)
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(Date.now() / 1000) + 3_600
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: 'calm', exp, rooms: { '*': 'write' } })}`
  const signature = createHmac('sha256', secret).update(signed).digest('base64url')
  return { args: ['--auth', 'jwt', '--jwt-secret-file', secretFile], query: `?token=${signed}.${signature}` }
}

async function listening(server) {
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /^listening on (http\S+)$/.exec(line)?.[1]
    if (url !== undefined) return url
  }
  throw new Error('the server did not start')
}

/** MiB. The last known when the server is too busy to say. */
async function memory(url) {
  const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2_000) }).catch(() => null)
  const text = (await answer?.text()) ?? ''
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1] ?? 0) / 2 ** 20
}

/** MiB, as the system counts; null where it has no such file. A server that is flooded answers late. */
async function residentMiB(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const KiB = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return KiB === undefined ? null : Number(KiB) / 1024
}

function print({ name, times, closed, before, most, after, memoryMiB }) {
  const sorted = times.toSorted((a, b) => a - b)
  const at = share => (sorted[Math.ceil(sorted.length * share) - 1] ?? 0).toFixed(1)
  const mib = [before, most, after].map(value => value.toFixed(0)).join(' / ')
  const bound = memoryMiB === null ? '' : ` (at most ${memoryMiB})`
  process.stdout.write(
    `${name.padEnd(20)} n ${sorted.length}  p50 ${at(0.5)} ms  p99 ${at(0.99)} ms  max ${at(1)} ms  ` +
      `MiB ${mib}${bound}  closed others ${closed}\n`
  )
}

/** Two clients of one room: times from a keystroke to the other's document. */
async function calm(url, query) {
  const [writer, reader] = [await open(url, `/calm${query}`), await open(url, `/calm${query}`)]
  let closed = 0
  for (const socket of [writer, reader]) socket.on('close', () => closed++)
  const doc = new Y.Doc()
  const sentAtMs = []
  const times = []
  let arrived = 0
  doc.on('update', update => {
    sentAtMs.push(performance.now())
    writer.send(Buffer.concat([Uint8Array.of(0, 2), varBytes(update)]))
  })
  reader.send(step1)
  writer.send(step1)
  const seen = new Y.Doc()
  reader.on('message', data => {
    if (data[0] !== 0 || data[1] !== 2) return
    Y.applyUpdate(seen, updateIn(data))
    // Several keystrokes may come as one update.
    const nowMs = performance.now()
    for (; arrived < seen.getText('t').length; arrived++) times.push(nowMs - sentAtMs.shift())
  })
  setInterval(() => doc.getText('t').insert(0, 'x'), 50)
  await pause(1_000)
  times.length = 0
  process.send('ready')
  process.on('message', () => {
    // Those that have not arrived count as well.
    process.send({ times: [...times, ...sentAtMs.map(ms => performance.now() - ms)], closed })
  })
}

function tcp(url, first) {
  const { hostname, port } = new URL(url)
  const socket = connectTcp(Number(port), hostname)
  socket.on('error', ignore)
  socket.on('connect', () => void (first !== '' && socket.write(first)))
  return socket
}

function each(count, run) {
  for (let i = 0; i < count; i++) void run(i)
}

/** Sends as fast as the socket takes it; `next` gives frames, null stands for pings. */
async function endless(url, path, next) {
  const socket = await open(url, path)
  if (path !== '/') socket.send(step1)
  const more = () => {
    if (socket.readyState !== WebSocket.OPEN) return
    for (let i = 0; i < 500 && socket.bufferedAmount < 256 * 1024; i++) {
      if (next === null) socket.ping()
      else socket.send(next())
    }
    setImmediate(more)
  }
  more()
}

/** Connects, sends, and does it again when it was closed. */
async function again(url, path, frame) {
  for (;;) {
    const socket = await open(url, path)
    socket.send(frame)
    await new Promise(resolve => socket.once('close', resolve))
  }
}

async function open(url, path) {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`)
  socket.on('error', ignore)
  await new Promise(resolve => {
    socket.once('open', resolve)
    socket.once('close', resolve)
  })
  return socket
}

function updates() {
  let doc = new Y.Doc()
  let last = null
  const begin = () => {
    doc = new Y.Doc()
    doc.on('update', update => {
      last = Buffer.concat([Uint8Array.of(0, 2), varBytes(update)])
    })
  }
  begin()
  let count = 0
  return () => {
    if (++count % 2_000 === 0) begin()
    doc.getText('t').insert(0, 'x')
    return last
  }
}

function cursors(i) {
  let clock = 0
  return () => {
    clock++
    return awareness(1_000_000 + i, clock, JSON.stringify({ user: { name: `n${i}` }, at: clock }))
  }
}

function bigState(i) {
  return awareness(2_000_000 + i, 1, JSON.stringify('x'.repeat(5_000_000)))
}

function rooms(i) {
  let count = 0
  return () => {
    count++
    const address = varBytes(Buffer.from(`${i}/${Math.floor(count / 2)}`))
    return count % 2 === 0 ? Buffer.concat([address, step1]) : Buffer.concat([address, Uint8Array.of(7)])
  }
}

function awareness(clientID, clock, state) {
  const entry = [Uint8Array.of(1), varUint(clientID), varUint(clock), varBytes(Buffer.from(state))]
  return Buffer.concat([Uint8Array.of(1), varBytes(Buffer.concat(entry))])
}

/** The payload of a y-websocket update frame. */
function updateIn(data) {
  let at = 2
  while (data[at] > 127) at++
  return data.subarray(at + 1)
}

function varBytes(bytes) {
  return Buffer.concat([varUint(bytes.length), bytes])
}

function varUint(value) {
  const bytes = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Uint8Array.from([...bytes, rest])
}

function pause(ms) {
  return new Promise(resolve => setTimeout(resolve, ms))
}

const [role, url, what = ''] = process.argv.slice(2)
if (role === 'calm' && process.send !== undefined) await calm(url, what)
else if (role === 'flood' && process.send !== undefined) run(floods[what], { url })
else await main()

function run(flood, target) {
  if (typeof flood === 'function') flood(target)
  else flood.run(target)
}
