/** Messages that nobody can forge, move, repeat or send from another cluster. SEED repeats a seed. */
import { createSecretKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { bounds } from '../../bus/bounds.ts'
import type { Bus } from '../../bus/bus.ts'
import { overheadOf, readEnvelope, sealOf, writeEnvelope } from '../../bus/envelope.ts'
import { createMemoryBroker } from '../../bus/memory.ts'
import { Replays } from '../../bus/replays.ts'
import { type SealedBus, sealBus } from '../../bus/sealed.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'

const key = new Uint8Array(32).fill(1)
const text = (value: string) => new TextEncoder().encode(value)

function cluster() {
  const clock = new VirtualClock()
  const broker = createMemoryBroker({ time: clock.scope(), random: randomOf(seed) })
  let opened = 0
  const open = (nodeId: string, { clusterId = 'ours', secret = key } = {}) =>
    sealBus({ bus: broker.connect(`${nodeId} ${opened++}`), nodeId, clusterId, key: secret })
  const heardBy = (bus: SealedBus, topic = 't') => {
    const heard: string[] = []
    bus.subscribe(topic, ({ from, bytes }) => void heard.push(`${from}: ${Buffer.from(bytes)}`))
    return heard
  }
  const rest = () => clock.runFor(60_000)
  return { broker, open, heardBy, rest }
}

/** What goes over the broker, as whoever controls it sees it. */
function tapped(bus: Bus, topic = 'ours/t'): Uint8Array[] {
  const messages: Uint8Array[] = []
  bus.subscribe(topic, bytes => void messages.push(new Uint8Array(bytes)))
  return messages
}

test('nodes of a cluster hear each other, and themselves only where they ask for it', async () => {
  const { open, heardBy, rest } = cluster()
  const [a, b] = [open('a'), open('b')]
  const [byA, byB] = [heardBy(a), heardBy(b)]
  const own: string[] = []
  a.subscribeOwn('t', ({ from, bytes }) => void own.push(`${from}: ${Buffer.from(bytes)}`))

  a.publish('t', text('one'))
  b.publish('t', text('two'))
  await rest()

  expect({ byA, byB, own }).toEqual({ byA: ['b: two'], byB: ['a: one'], own: ['a: one'] })
  expect(a.counts()).toMatchObject({ own: 1, forged: 0, foreign: 0, malformed: 0, replayed: 0 })
})

test('who subscribes twice hears each message twice, and it is no replay', async () => {
  const { open, heardBy, rest } = cluster()
  const [a, b] = [open('a'), open('b')]
  const [first, second] = [heardBy(b), heardBy(b)]

  a.publish('t', text('x'))
  await rest()

  expect([first, second]).toEqual([['a: x'], ['a: x']])
  expect(b.counts()).toMatchObject({ replayed: 0, received: 1 })
})

test('another cluster with the same key, and ours with another key, are not heard', async () => {
  const { broker, open, heardBy, rest } = cluster()
  const heard = heardBy(open('b'))
  const b = open('c')
  heardBy(b)
  open('x', { clusterId: 'theirs' }).publish('t', text('foreign'))
  open('y', { secret: new Uint8Array(32).fill(2) }).publish('t', text('forged'))
  const messages = tapped(broker.connect('thief'), 'theirs/t')
  open('z', { clusterId: 'theirs' }).publish('t', text('moved'))
  await rest()

  for (const message of messages) broker.connect('thief').publish('ours/t', message)
  await rest()

  expect(messages).toHaveLength(1)
  expect(heard).toEqual([])
  expect(b.counts()).toMatchObject({ forged: 1, foreign: 1 })
})

test('changed in any bit, cut anywhere, or moved to another topic, a message is dropped', async () => {
  const { broker, open, heardBy, rest } = cluster()
  const [a, b] = [open('a'), open('b')]
  const thief = broker.connect('thief')
  const messages = tapped(thief)
  // Subscribed only afterwards, so that it is no replay that keeps them out.
  a.publish('t', text('some text'))
  await rest()
  const [message = new Uint8Array()] = messages
  const [heard, elsewhere] = [heardBy(b), heardBy(b, 'u')]

  let count = 0
  for (let bit = 0; bit < message.length * 8; bit++) {
    const changed = message.slice()
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    thief.publish('ours/t', changed)
    count++
  }
  for (let length = 0; length < message.length; length++) {
    thief.publish('ours/t', message.subarray(0, length))
    count++
  }
  thief.publish('ours/u', message)
  await rest()
  const { forged, malformed, foreign } = b.counts()
  thief.publish('ours/t', message)
  await rest()

  expect(forged + malformed + foreign).toBe(count + 1)
  expect(elsewhere).toEqual([])
  expect(heard).toEqual(['a: some text'])
})

test('what is repeated is heard once', async () => {
  const { broker, open, heardBy, rest } = cluster()
  broker.setFaults({ repetition: 1, delayMaxMs: 20 })
  const [a, b] = [open('a'), open('b')]
  const heard = heardBy(b)
  const messages = tapped(broker.connect('thief'))

  for (let each = 0; each < 100; each++) a.publish('t', text(String(each)))
  await rest()
  const captured = messages.slice()
  for (const message of captured) broker.connect('thief').publish('ours/t', message)
  await rest()

  expect(captured.length).toBe(200)
  expect(heard.length).toBe(100)
  expect(new Set(heard).size).toBe(100)
  expect(b.counts().replayed).toBe(500)
})

test('out of order within the window each counter is new once, and behind it none', () => {
  console.log(`seed: ${seed}`)
  const random = randomOf(seed)
  const replays = new Replays()
  const seen = new Set<number>()
  let highest = 0
  for (let each = 0; each < 50_000; each++) {
    const leap = random() < 0.01 ? bounds.replayWindow * 2 : 64
    const behind =
      random() < 0.5 ? -Math.floor(random() * bounds.replayWindow * 1.2) : Math.ceil(random() * leap)
    const counter = Math.max(1, highest + behind)
    const expected = !seen.has(counter) && counter > highest - bounds.replayWindow
    highest = Math.max(highest, counter)

    expect(replays.isNew('a', counter), `${counter} after ${highest}`).toBe(expected)
    seen.add(counter)
  }
})

test('senders are bounded: whoever was silent longest is forgotten', () => {
  const replays = new Replays()
  for (let each = 0; each < bounds.sendersMax; each++) replays.isNew(`${each}`, 1)
  replays.isNew('0', 2)

  replays.isNew('one more', 1)

  expect(replays.isNew('0', 1)).toBe(false)
  expect(replays.isNew('1', 1)).toBe(true)
})

test('the longest payload fits, and one byte more does not', async () => {
  const { open, heardBy, rest } = cluster()
  const [a, b] = [open('a'), open('b')]
  const heard = heardBy(b)

  expect(a.publish('t', new Uint8Array(a.payloadBytesMax))).toBe(true)
  expect(a.publish('t', new Uint8Array(a.payloadBytesMax + 1))).toBe(false)
  await rest()

  expect(heard).toHaveLength(1)
  expect(a.counts().droppedLarge).toBe(1)
})

test('an envelope is as the page says, for any id, counter and payload', () => {
  const random = randomOf(seed)
  const seal = sealOf('ours', createSecretKey(key))
  for (let each = 0; each < 500; each++) {
    const node = 'é'.repeat(1 + Math.floor(random() * 32))
    const counter = 1 + Math.floor(random() * 2 ** (random() * 47))
    const payload = Uint8Array.from({ length: Math.floor(random() * 50) }, () => Math.floor(random() * 256))

    const bytes = writeEnvelope(seal, 't', { node, counter, payload })

    expect(bytes.length).toBe(overheadOf(node) + payload.length)
    const read = readEnvelope(seal, 't', bytes)
    expect(read).toMatchObject({ node, counter })
    expect(typeof read === 'object' ? [...read.payload] : null).toEqual([...payload])
    expect(readEnvelope(seal, 't2', bytes)).toBe('forged')
  }
})

test('ids and keys that are none are refused', () => {
  const bus = createMemoryBroker().connect('a')
  const good = { bus, clusterId: 'c', nodeId: 'n', key }

  for (const wrong of [
    { clusterId: '' },
    { nodeId: '' },
    { nodeId: 'x'.repeat(65) },
    { key: key.subarray(1) }
  ]) {
    expect(() => sealBus({ ...good, ...wrong })).toThrow(expect.objectContaining({ code: 'BUS_ARGUMENT' }))
  }
})
