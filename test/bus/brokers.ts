/** What every real broker's bus must do: the conformance suite, and to live through what happens to brokers. */
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Address, parseAddress } from '../../bus/address.ts'
import { bounds } from '../../bus/bounds.ts'
import type { Pace } from '../../bus/broker-bus.ts'
import type { Bus, BusOptions } from '../../bus/bus.ts'
import { busConformanceCases } from '../../bus/conformance.ts'
import { connected, Ear, sayUntilHeard } from '../../bus/conformance-case.ts'
import { openBus } from '../../bus/open.ts'
import { type Pulse, type PulseState, startPulse } from '../../bus/pulse.ts'
import { sealBus } from '../../bus/sealed.ts'
import type { Service } from '../support/services/service.ts'

export type Broker = {
  readonly name: string
  /** Null: it is not installed. */
  readonly path: string | null
  readonly start: () => Promise<Service>
  readonly open: (address: Address, options: BusOptions & Pace) => Promise<Bus>
}

const key = new Uint8Array(32).fill(7)

export function testBroker({ name, path, start, open }: Broker): void {
  describe.skipIf(path === null)(`a bus over ${name}`, () => {
    let service: Service

    beforeAll(async () => {
      service = await start()
    })

    afterAll(() => service?.stop())

    /** A bus that gives a silent broker up at once, or, with a long time between its questions, not at all. */
    const node = async (pace: Pace = { pingMs: 200, redialMs: 50 }) => {
      const bus = await open(parseAddress(service.url, service.port), pace)
      onTestFinished(() => bus.close())
      await connected(bus)
      return bus
    }

    test.each(busConformanceCases)('$name', async ({ run }) => {
      await run({ connect: options => openBus(service.url, options) })
    })

    test('clusters on one broker neither see nor disturb each other, and nobody forges', async () => {
      const [a, b, other, stranger] = [await node(), await node(), await node(), await node()]
      const seal = (bus: Bus, nodeId: string, clusterId = 'ours') => sealBus({ bus, nodeId, clusterId, key })
      const [ours, theirs] = [seal(b, 'b'), seal(other, 'b', 'theirs')]
      const [heard, strangers] = [new Ear(), new Ear()]
      ours.subscribe('t', ({ bytes }) => heard.hear(bytes))
      theirs.subscribe('t', ({ bytes }) => strangers.hear(bytes))
      const sender = seal(a, 'a')
      const alien = seal(stranger, 'x', 'theirs')

      const captured = new Ear()
      stranger.subscribe('ours/t', captured.hear)
      await sayUntilHeard(() => {
        sender.publish('t', Buffer.from('ours'))
        alien.publish('t', Buffer.from('theirs'))
      }, Promise.all([heard, strangers, captured].map(ear => ear.until(all => all.length > 0))).then())
      const [message = ''] = captured.heard
      const forged = Buffer.from(`${message.slice(0, -1)}!`, 'latin1')
      await sayUntilHeard(
        () => {
          stranger.publish('ours/t', forged)
          stranger.publish('ours/t', Buffer.from('garbage'))
          // Heard before: nobody hears it again.
          stranger.publish('ours/t', Buffer.from(message, 'latin1'))
          sender.publish('t', Buffer.from('more'))
        },
        heard.until(all => all.includes('more') && ours.counts().replayed > 0)
      )

      expect(new Set(heard.heard)).toEqual(new Set(['ours', 'more']))
      expect(new Set(strangers.heard)).toEqual(new Set(['theirs']))
      expect(ours.counts()).toMatchObject({
        forged: expect.toSatisfy(count => count > 0),
        malformed: expect.toSatisfy(count => count > 0),
        foreign: 0
      })
    })

    test('killed and back empty: publishing goes on, subscriptions and the pulse come back', async () => {
      const [a, b] = [await node(), await node()]
      const [ear, ended, during] = [new Ear(), new Ear(), new Ear()]
      b.subscribe('kept', ear.hear)
      const end = b.subscribe('ended', ended.hear)
      const pulse = pulseOf(a)
      await pulse.until('well')
      await sayUntilHeard(
        () => void [a.publish('kept', text('before')), a.publish('ended', text('before'))],
        Promise.all([ear, ended].map(each => each.until(all => all.length > 0))).then()
      )

      await service.kill()
      await sayUntilHeard(() => void a.publish('kept', text('during')), pulse.until('away'))
      expect(a.status()).toMatchObject({ state: 'away' })
      expect(a.publish('kept', text('during'))).toBe(false)
      expect(a.counts().droppedAway).toBeGreaterThan(0)
      expect(a.counts()).toMatchObject({ queuedMessages: 0, queuedBytes: 0 })
      end()
      const before = ended.heard.length
      b.subscribe('during', during.hear)
      await service.restart()
      await pulse.until('well')
      await sayUntilHeard(
        () =>
          void [
            a.publish('ended', text('after')),
            a.publish('kept', text('after')),
            a.publish('during', text('after'))
          ],
        Promise.all([ear, during].map(each => each.until(all => all.includes('after')))).then()
      )

      expect(ended.heard.length).toBe(before)
      expect(pulse.states).toEqual(['well', 'away', 'well'])
    }, 120_000)

    test('standing still: what is queued is bounded, nobody waits, and it goes on', async () => {
      const [a, b] = [await node({ pingMs: 600_000 }), await node({ pingMs: 600_000 })]
      const ear = new Ear()
      b.subscribe('t', bytes => ear.hear(bytes.subarray(0, 5)))
      const pulse = pulseOf(a)
      await pulse.until('well')

      service.signal('SIGSTOP')
      onTestFinished(() => service.signal('SIGCONT'))
      const before = await memory()
      for (let count = 0; count < 30_000; count++) {
        a.publish('t', new Uint8Array(4_000))
        if (count % 100 === 0) await turn()
      }
      const { published, droppedFull, queuedBytes } = a.counts()
      const grown = (await memory()) - before
      await pulse.until('away')
      service.signal('SIGCONT')
      await pulse.until('well')
      await sayUntilHeard(
        () => void a.publish('t', text('after')),
        ear.until(all => all.includes('after'))
      )

      // 120 MB were to be sent; what the sockets of the system take comes on top of what is queued.
      expect(queuedBytes).toBeLessThanOrEqual(bounds.queuedBytesMax)
      expect(droppedFull).toBeGreaterThan(10_000)
      expect(published + droppedFull).toBeGreaterThanOrEqual(30_000)
      expect(grown).toBeLessThan(4 * bounds.queuedBytesMax)
    })

    test('silent for too long: it is given up, dialled again, and the subscriptions are back', async () => {
      const [a, b] = [await node(), await node()]
      const ear = new Ear()
      b.subscribe('t', ear.hear)
      const states: string[] = []
      const isAway = new Promise<void>(resolve => {
        b.watch(status => {
          states.push(status.state === 'away' ? status.reason : status.state)
          if (status.state === 'away') resolve()
        })
      })

      service.signal('SIGSTOP')
      onTestFinished(() => service.signal('SIGCONT'))
      await isAway
      service.signal('SIGCONT')
      await Promise.all([connected(a), connected(b)])
      await sayUntilHeard(
        () => void a.publish('t', text('after')),
        ear.until(all => all.includes('after'))
      )

      expect(states).toEqual(['silent', 'connected'])
    })

    test('closed while the broker stands still, or is not there, it leaves nothing', async () => {
      const [still, absent] = [await node(), await node()]
      service.signal('SIGSTOP')
      onTestFinished(() => service.signal('SIGCONT'))
      still.publish('t', text('x'))
      await still.close()
      service.signal('SIGCONT')
      const away = await open(parseAddress(service.url.replace(/:\d+$/, ':1'), 1), { redialMs: 10 })
      await away.close()
      await absent.close()

      expect([still, away, absent].map(bus => bus.status())).toEqual(
        Array.from({ length: 3 }, () => ({ state: 'away', reason: 'closed' }))
      )
    })
  })
}

type WatchedPulse = { readonly states: PulseState[]; until(state: PulseState): Promise<void> }

/** Its beats are quick, as a second each would be long. */
function pulseOf(bus: Bus): WatchedPulse {
  const states: PulseState[] = []
  let waiting = () => {}
  const sealed = sealBus({ bus, nodeId: 'pulse', clusterId: 'pulse', key })
  const pulse: Pulse = startPulse({
    bus: sealed,
    beatMs: 200,
    onState: state => {
      states.push(state)
      waiting()
    }
  })
  onTestFinished(() => pulse.close())
  const until = (state: PulseState) =>
    new Promise<void>(resolve => {
      waiting = () => {
        if (pulse.state() === state) resolve()
      }
      waiting()
    })
  return { states, until }
}

/** What is kept, garbage left out. */
async function memory(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // Freed memory of arrays is given back a little later.
  for (let round = 0; round < 3; round++) {
    collect()
    await turn()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function text(value: string): Uint8Array {
  return Buffer.from(value)
}
