/**
 * Whole connections: valid, damaged and random messages by several sockets, in TCP pieces of every size, into a room
 * in which two real clients edit. SEED repeats a run, ROUNDS makes it longer.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { damaged, randomDamages } from '../document/hostile-updates.ts'
import { isAccepted } from '../document/oracle.ts'
import { createHistory, createRandom, type Random, seed } from '../document/random-docs.ts'
import { startBystanders } from '../support/bystanders.ts'
import { awarenessFrame, syncStep1, syncStep2, updateFrame } from '../support/raw.ts'
import { startServer } from '../support/server.ts'
import { maskedFrame, openTcp } from '../support/tcp.ts'

const rounds = Number(process.env.ROUNDS ?? 6)
const socketsPerRound = 6
const messagesPerSocket = 12

const recorded = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../vectors/y-websocket.json'), 'utf8')) as {
    vectors: { from: string; frame: string }[]
  }
).vectors.flatMap(({ from, frame }) =>
  from === 'client' ? [Uint8Array.from(Buffer.from(frame, 'hex'))] : []
)

function validMessage(random: Random, updates: readonly Uint8Array[]): Uint8Array {
  const update = () => random.pick(updates)
  return random.pick([
    () => updateFrame(update()),
    () => syncStep2(update()),
    () => syncStep1(Y.encodeStateVectorFromUpdate(update())),
    () => awarenessFrame({ clientID: random.below(2 ** 32), clock: random.below(9), state: '{"n":1}' }),
    () => random.pick(recorded)
  ])()
}

function message(random: Random, updates: readonly Uint8Array[]): Uint8Array {
  if (random.next() < 0.1) return Uint8Array.from({ length: random.below(60) }, () => random.below(256))
  const valid = validMessage(random, updates)
  return random.next() < 0.5 ? valid : damaged(valid, randomDamages(random), random.pick(recorded))
}

/** One socket that says its messages in pieces, until it has said all or is closed. */
async function misbehave(url: string, random: Random, updates: readonly Uint8Array[]): Promise<void> {
  const tcp = await openTcp(url, 'room')
  for (let i = 0; i < messagesPerSocket && !tcp.socket.destroyed; i++) {
    const payload = message(random, updates)
    const opcode = random.next() < 0.03 ? random.below(256) : 0x82
    const frame = maskedFrame(opcode, payload)
    for (let from = 0; from < frame.length; ) {
      const size = random.pick([1, 2, 7, 60, 1_000, frame.length])
      tcp.socket.write(frame.subarray(from, from + size))
      from += size
      if (random.next() < 0.3) await new Promise(resolve => setImmediate(resolve))
    }
  }
  if (random.next() < 0.3) return void tcp.socket.destroy()
  // What was said is read to its end: the server closes for the first thing that is wrong, or for this.
  tcp.socket.write(maskedFrame(0x82, Uint8Array.of()))
  await tcp.closed()
}

/** Everything in the store's log; a checkpoint would have been read by Yjs already. */
async function loggedUpdates(store: Store): Promise<Uint8Array[]> {
  const { records } = await store.load('room')
  return records.flatMap(({ record }) => decodeRecord(record).map(({ update }) => update))
}

test(`[I5, I7] two clients edit on among connections that say anything (SEED=${seed})`, async () => {
  const store = createMemoryStore()
  const limits = { refusalDelayMs: 1, refusalDelayMsMax: 1, refusalMemoryMs: 1 }
  const { url } = await startServer({ store, limits })
  const bystanders = await startBystanders(url)

  for (let round = 0; round < rounds; round++) {
    const random = createRandom(seed + round)
    const { updates } = createHistory(random, { clients: 3, steps: 30 })
    const all = Array.from({ length: socketsPerRound }, (_, i) =>
      misbehave(url, createRandom(seed + round * 1_000 + i), updates)
    )
    await Promise.all(all)
    await bystanders.unharmed()
  }

  // Most seeds have a broken update among what they say; this one is for the others.
  const broken = await openTcp(url, 'room')
  broken.socket.write(maskedFrame(0x82, updateFrame(Uint8Array.of(1, 200, 200))))
  await broken.closed()

  const logged = await loggedUpdates(store)
  expect(logged.length).toBeGreaterThan(2 * rounds)
  expect(logged.filter(update => !isAccepted(update))).toEqual([])
  const refused = await store.listSetAside('room')
  expect(refused.length).toBeGreaterThan(0)
  expect(refused.filter(({ bytes }) => isAccepted(bytes))).toEqual([])
})
