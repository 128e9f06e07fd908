/** What is read of connections, on its own: how much of a message has come, who keeps too much, who reads on. */
import { createRequire } from 'node:module'
import { Duplex, type Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { withLimits } from '../../src/base/limits.ts'
import { systemTime } from '../../src/base/time.ts'
import { Assembly, wholeFramesIn } from '../../src/transport/assembly.ts'
import { Reading } from '../../src/transport/reading.ts'
import { ReadingTurns } from '../../src/transport/reading-turns.ts'
import { type Keeper, sharesOf, Unfinished } from '../../src/transport/unfinished.ts'
import { createRandom, seed } from '../document/random-docs.ts'

/** What takes frames apart in ws; its types do not name it. */
const { Receiver } = createRequire(import.meta.url)('ws') as { Receiver: new (options: object) => Writable }

/** A frame as a client sends it, its lengths in as few bytes as it can be. */
function frame(firstByte: number, length: number): Buffer {
  const head = Buffer.alloc(14)
  head[0] = firstByte
  head[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (length < 126) return Buffer.concat([head.subarray(0, 6), Buffer.alloc(length, 1)])
  if (length < 65_536) head.writeUInt16BE(length, 2)
  else head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head.subarray(0, length < 65_536 ? 8 : 14), Buffer.alloc(length, 1)])
}

const ping = frame(0x89, 4)

describe('a message that is being assembled', () => {
  test(`is known from the bytes, in pieces of any size (SEED=${seed})`, () => {
    const random = createRandom(seed)
    for (let round = 0; round < 200; round++) {
      const assembly = new Assembly()
      const lengths = Array.from({ length: 1 + random.below(4) }, () =>
        random.pick([0, 1, 125, 126, 400, 65_535, 65_536, 70_000])
      )
      const last = lengths.length - 1
      const frames = lengths.map((length, i) => frame((i === last ? 0x80 : 0) | (i === 0 ? 2 : 0), length))
      const bytes = Buffer.concat(frames.flatMap(each => (random.next() < 0.3 ? [ping, each] : [each])))
      for (let at = 0; at < bytes.length; ) {
        const size = Math.min(random.pick([1, 2, 5, 1_000, 65_536]), bytes.length - at)
        assembly.read(bytes.subarray(at, at + size))
        at += size
        if (at < bytes.length && assembly.isUnderWay) expect(assembly.bytes).toBeGreaterThan(0)
        if (!assembly.isUnderWay) expect(assembly.bytes).toBe(0)
      }

      expect([assembly.isUnderWay, assembly.bytes]).toEqual([false, 0])
    }
  })

  test('keeps all chunks in which some of it lies, and something for each fragment', () => {
    const assembly = new Assembly()

    assembly.read(Buffer.concat([frame(0x82, 1_000), frame(0x02, 1)]))
    const afterOne = assembly.bytes
    assembly.read(Buffer.concat([ping, ping]))
    const afterPings = assembly.bytes
    for (let i = 0; i < 100; i++) assembly.read(frame(0x00, 1))

    expect(afterOne).toBeGreaterThan(1_000)
    expect(afterPings).toBe(afterOne)
    expect(assembly.bytes).toBeGreaterThan(afterOne + 100 * 100)
  })

  test('is told from the next one, and pings in between are none', () => {
    const assembly = new Assembly()
    assembly.read(frame(0x02, 10))
    const { begun } = assembly

    assembly.read(ping)
    assembly.read(frame(0x00, 10))
    const during = assembly.begun
    assembly.read(Buffer.concat([frame(0x80, 10), frame(0x02, 10)]))

    expect(during).toBe(begun)
    expect(assembly.begun).toBe(begun + 1)
  })
})

test(`what is whole in one chunk is counted as if it had been followed byte by byte (SEED=${seed})`, () => {
  const random = createRandom(seed)
  let wholes = 0
  for (let round = 0; round < 2_000; round++) {
    const frames = Array.from({ length: 1 + random.below(4) }, () =>
      frame(random.pick([0x82, 0x82, 0x81, 0x89, 0x02, 0x80]), random.pick([0, 1, 40, 125, 126, 400]))
    )
    const bytes = Buffer.concat(frames)
    const chunk = bytes.subarray(0, random.next() < 0.3 ? random.below(bytes.length) : bytes.length)
    const assembly = new Assembly()
    assembly.read(chunk)

    const whole = wholeFramesIn(chunk)

    if (whole !== null) expect([whole, false]).toEqual([assembly.frames, assembly.isUnderWay])
    else expect(chunk.length).toBeGreaterThan(0)
    wholes += whole === null ? 0 : 1
  }

  expect(wholes).toBeGreaterThan(300)
})

describe('what is kept of messages', () => {
  function keeper(address: string, cut: string[], name: string): Keeper {
    return { address, cutOff: () => void cut.push(name) }
  }

  test('is bounded for all: whoever keeps most goes, of the address that keeps most', () => {
    const cut: string[] = []
    const unfinished = new Unfinished({ bytesMax: 100, bytesPerAddressMax: 90 })
    const many = Array.from({ length: 6 }, (_, i) => keeper('192.0.2.1', cut, `one of many ${i}`))
    const alone = keeper('192.0.2.2', cut, 'alone')

    for (const [i, each] of many.entries()) unfinished.set(each, 10 + i)
    unfinished.set(alone, 40)

    expect(cut).toEqual(['one of many 5'])
    expect(unfinished.bytes).toBe(10 + 11 + 12 + 13 + 14 + 40)
  })

  test('is bounded for an address, and for a /64 of IPv6, but not for this machine', () => {
    const cut: string[] = []
    const unfinished = new Unfinished({ bytesMax: 1_000, bytesPerAddressMax: 50 })

    unfinished.set(keeper('2001:db8::1', cut, 'first'), 30)
    unfinished.set(keeper('2001:db8::2', cut, 'second'), 25)
    unfinished.set(keeper('127.0.0.1', cut, 'local'), 500)

    expect(cut).toEqual(['first'])
  })

  test('is forgotten when it is let go of', () => {
    const cut: string[] = []
    const unfinished = new Unfinished({ bytesMax: 100, bytesPerAddressMax: 100 })
    const [first, second] = [keeper('192.0.2.1', cut, 'first'), keeper('192.0.2.1', cut, 'second')]

    for (let i = 0; i < 10; i++) {
      unfinished.set(first, 80)
      unfinished.set(first, 0)
      unfinished.set(second, 80)
      unfinished.set(second, 0)
    }

    expect([cut, unfinished.bytes]).toEqual([[], 0])
  })
})

/** Guests of one server's turns, of 100 KiB each. */
function readers(names: readonly string[]) {
  const turns = new ReadingTurns(systemTime, withLimits({ readBytesTurnMax: 100 * 1024 }))
  const events: string[] = []
  const guests = names.map(name => ({
    pause: () => void events.push(`pause ${name}`),
    resume: () => void events.push(`resume ${name}`)
  }))
  const passTurns = async (count: number) => {
    for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve))
  }
  return { turns, events, guests, passTurns }
}

test('beyond what a turn reads, readers wait for the next turns, in order', async () => {
  const { turns, events, guests, passTurns } = readers(['a', 'b', 'c'])

  const now = guests.map(guest => turns.mayRead(guest, { bytes: 60 * 1024, frames: 0 }))
  const before = [...events]
  await passTurns(4)

  expect(now).toEqual([true, false, false])
  expect(before).toEqual(['pause b', 'pause c'])
  expect(events).toEqual(['pause b', 'pause c', 'resume b', 'resume c'])
})

test('whoever brings much is read on, however many bring a little in each turn', async () => {
  const { turns, events, guests, passTurns } = readers(['filler', 'large', 'small'])
  const bring = (index: number, bytes: number) => {
    const guest = guests[index]
    if (guest !== undefined) turns.mayRead(guest, { bytes, frames: 0 })
  }

  bring(0, 99 * 1024)
  bring(1, 99 * 1024)
  bring(2, 8 * 1024)
  await passTurns(1)
  // What is read fills each turn, so that somebody with a little waits for the next.
  for (let turn = 0; turn < 5; turn++) {
    bring(0, 90 * 1024)
    bring(2, 8 * 1024)
    await passTurns(1)
  }

  expect(events.filter(event => event === 'resume small').length).toBeGreaterThan(1)
  expect(events).toContain('resume large')
})

test('what costs little is read before what costs much, and what people send at once', async () => {
  const { turns, events, guests, passTurns } = readers(['a', 'b', 'c', 'd', 'e'])

  const costs = [
    { bytes: 60_000, frames: 9_000 },
    { bytes: 60_000, frames: 9_000 },
    { bytes: 60_000, frames: 9_000 },
    { bytes: 10_000, frames: 1 },
    { bytes: 1_000, frames: 100 }
  ]
  const now = guests.map((guest, i) => turns.mayRead(guest, costs[i] ?? { bytes: 0, frames: 0 }))
  await passTurns(4)

  expect(now).toEqual([true, false, false, false, true])
  expect(events.slice(3)).toEqual(['resume d', 'resume b', 'resume c'])
})

test.each([
  ['messages of a byte', 0x82],
  ['fragments of a byte', 0x00]
])(
  'what many sockets bring at once is read in turns, in order and up to its end: %s',
  async (_, firstByte) => {
    const shares = sharesOf(systemTime, withLimits())
    let framesOfTurn = 0
    const ended: number[] = []
    const tiny = Buffer.concat(Array.from({ length: 9_000 }, () => frame(firstByte, 1)))
    const chunk = firstByte === 0 ? Buffer.concat([frame(0x02, 1), tiny, frame(0x80, 1)]) : tiny
    const streams = Array.from({ length: 20 }, (_, n) => {
      const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
      const receiver = new Receiver({ isServer: true, maxFragments: 0 })
      let messages = 0
      receiver.on('message', () => messages++)
      stream.on('data', bytes => {
        framesOfTurn += 9_000
        receiver.write(bytes)
      })
      stream.on('end', () => ended.push(messages))
      const reader = {
        address: `192.0.2.${n}`,
        pause: () => void stream.pause(),
        resume: () => void stream.resume(),
        full: () => {},
        cutOff: () => expect.unreachable()
      }
      new Reading({ stream, reader, shares })
      return stream
    })

    for (const stream of streams) {
      stream.push(chunk)
      stream.push(null)
    }
    const turns: number[] = []
    while (ended.length < streams.length) {
      await new Promise(resolve => setImmediate(resolve))
      turns.push(framesOfTurn)
      framesOfTurn = 0
    }

    expect(ended).toEqual(Array(streams.length).fill(firstByte === 0 ? 1 : 9_000))
    // One chunk in each turn: it alone is more than a turn has.
    expect(Math.max(...turns)).toBe(9_000)
  }
)
