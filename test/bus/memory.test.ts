/** The bus in memory: the suite of all buses, and its faults. SEED repeats a seed. */
import { describe, expect, test } from 'vitest'
import { bounds } from '../../bus/bounds.ts'
import { busConformanceCases } from '../../bus/conformance.ts'
import { createMemoryBroker, type MemoryFaults } from '../../bus/memory.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'

describe('bus conformance: memory', () => {
  test.each(busConformanceCases)('$name', async ({ run }) => {
    const broker = createMemoryBroker()
    let nodes = 0
    await run({ connect: async options => broker.connect(`node ${nodes++}`, options) })
  })
})

const text = (value: string) => new TextEncoder().encode(value)

function world(faults: Partial<MemoryFaults> = {}) {
  const clock = new VirtualClock()
  const broker = createMemoryBroker({ time: clock.scope(), random: randomOf(seed), faults })
  const heard: Record<string, string[]> = {}
  const node = (name: string) => {
    const bus = broker.connect(name)
    const ear: string[] = []
    heard[name] = ear
    bus.subscribe('t', bytes => void ear.push(Buffer.from(bytes).toString()))
    return bus
  }
  return { clock, broker, heard, node }
}

describe('faults of the memory broker', () => {
  test('with the same seed the same happens, and all of it: loss, repetition, overtaking', async () => {
    console.log(`seed: ${seed}`)
    const run = async () => {
      const { clock, heard, node } = world({ loss: 0.2, repetition: 0.2, delayMinMs: 1, delayMaxMs: 50 })
      const a = node('a')
      node('b')
      for (let each = 0; each < 500; each++) {
        a.publish('t', text(String(each)))
        await clock.runFor(1)
      }
      await clock.runFor(100)
      return heard
    }

    const [first, second] = [await run(), await run()]

    expect(first).toEqual(second)
    const b = (first.b ?? []).map(Number)
    expect(new Set(b).size).toBeLessThan(500)
    expect(b.length).toBeGreaterThan(new Set(b).size)
    expect(b.some((each, index) => each < (b[index - 1] ?? 0))).toBe(true)
    expect(first.a).not.toEqual(first.b)
  })

  test('a cut is between two nodes and one way, until it is mended', async () => {
    const { clock, broker, heard, node } = world()
    const [a, b] = [node('a'), node('b'), node('c')]
    broker.cut('a', 'b')

    a.publish('t', text('of a'))
    b.publish('t', text('of b'))
    await clock.runFor(10)
    broker.mend()
    a.publish('t', text('again'))
    await clock.runFor(10)

    expect(heard).toEqual({
      a: ['of a', 'of b', 'again'],
      b: ['of b', 'again'],
      c: ['of a', 'of b', 'again']
    })
    expect(a.status()).toEqual({ state: 'connected' })
  })

  test('a broker that is away for one node is away in its status, and what is on its way is lost', async () => {
    const { clock, broker, heard, node } = world({ delayMinMs: 5, delayMaxMs: 5 })
    const [a, b] = [node('a'), node('b')]
    const states: string[] = []
    b.watch(({ state }) => void states.push(state))

    a.publish('t', text('on its way'))
    broker.leave('b')
    expect(b.publish('t', text('x'))).toBe(false)
    await clock.runFor(10)
    broker.comeBack()
    a.publish('t', text('after'))
    await clock.runFor(10)

    expect(states).toEqual(['away', 'connected'])
    expect(heard).toEqual({ a: ['on its way', 'after'], b: ['after'] })
    expect(b.counts()).toMatchObject({ droppedAway: 1, queuedMessages: 0, queuedBytes: 0 })
  })

  test('what is on its way is bounded, by messages and by bytes', async () => {
    const { clock, node } = world({ delayMinMs: 1_000, delayMaxMs: 1_000 })
    const [small, large] = [node('a'), node('b')]

    for (let each = 0; each < bounds.queuedMessagesMax * 2; each++) small.publish('t', text('x'))
    for (let each = 0; each < 1_000; each++) large.publish('t', new Uint8Array(bounds.messageBytesMax))

    expect(small.counts().queuedMessages).toBe(bounds.queuedMessagesMax)
    expect(small.counts().droppedFull).toBeGreaterThan(bounds.queuedMessagesMax)
    expect(large.counts().queuedBytes).toBe(bounds.queuedBytesMax)
    await clock.runFor(2_000)
    expect([small, large].map(bus => bus.counts().queuedMessages)).toEqual([0, 0])
    expect(small.publish('t', text('x'))).toBe(true)
  })

  test('a node that ends takes its timers with it', async () => {
    const { clock, broker, node } = world({ delayMinMs: 100, delayMaxMs: 100 })
    const a = node('a')
    const time = clock.scope()
    const b = broker.connect('b', { time })
    a.publish('t', text('x'))
    expect(time.pending).toBe(1)

    await b.close()

    expect(time.pending).toBe(0)
    expect(a.counts().queuedMessages).toBe(1)
  })
})
