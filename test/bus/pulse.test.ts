/** The pulse in virtual time: what it takes for absence, and what not. */
import { expect, test } from 'vitest'
import { bounds } from '../../bus/bounds.ts'
import { createMemoryBroker } from '../../bus/memory.ts'
import { type PulseState, startPulse } from '../../bus/pulse.ts'
import { sealBus } from '../../bus/sealed.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'

const key = new Uint8Array(32).fill(1)

function beating() {
  const clock = new VirtualClock()
  const time = clock.scope()
  const broker = createMemoryBroker({ time, random: () => 0.5 })
  const bus = sealBus({ bus: broker.connect('a'), nodeId: 'a', clusterId: 'c', key })
  const changes: { atMs: number; state: PulseState }[] = []
  const onState = (state: PulseState) => void changes.push({ atMs: Math.round(clock.nowMs), state })
  const pulse = startPulse({ bus, onState, time })
  return { clock, time, broker, bus, changes, pulse }
}

test('the first echo makes it well, and three seconds of silence away', async () => {
  const { clock, broker, changes, pulse } = beating()
  expect(pulse.state()).toBe('away')

  await clock.runUntil(10_500)
  broker.leave()
  await clock.runUntil(20_500)
  broker.comeBack()
  await clock.runUntil(30_000)

  // The last echo came at 10,000, the beats from 11,000 to 13,000 have none.
  expect(changes).toEqual([
    { atMs: 0, state: 'well' },
    { atMs: 14_000, state: 'away' },
    { atMs: 21_000, state: 'well' }
  ])
})

test('a connection that stands and carries nothing is away', async () => {
  const { clock, broker, bus, pulse } = beating()
  await clock.runUntil(1_500)

  broker.cut('a', 'a')
  await clock.runUntil(6_000)

  expect(bus.status()).toEqual({ state: 'connected' })
  expect(pulse.state()).toBe('away')
})

test('two of three beats lost are no absence', async () => {
  const { clock, broker, changes } = beating()
  for (let second = 0; second < 60; second += 3) {
    broker.mend()
    await clock.runUntil(second * 1_000 + 500)
    broker.cut('a', 'a')
    await clock.runUntil(second * 1_000 + 2_500)
  }

  expect(changes).toEqual([{ atMs: 0, state: 'well' }])
})

test('an echo that was held back for three beats says nothing of now', async () => {
  const { clock, broker, changes } = beating()
  await clock.runUntil(500)

  broker.setFaults({ delayMinMs: 5_000, delayMaxMs: 5_000 })
  await clock.runUntil(30_000)

  expect(changes).toEqual([
    { atMs: 0, state: 'well' },
    { atMs: 4_000, state: 'away' }
  ])
})

test('a process that stood still takes nobody for dead: its late timer counts once', async () => {
  const clock = new VirtualClock()
  const broker = createMemoryBroker({ time: clock.scope() })
  const bus = sealBus({ bus: broker.connect('a'), nodeId: 'a', clusterId: 'c', key })
  const states: PulseState[] = []
  const due: (() => void)[] = []
  // The pulse's timers run when the test says so, before or after what has arrived is read.
  const time = {
    after: (_: number, run: () => void) => {
      due.push(run)
      return () => {}
    }
  }
  startPulse({ bus, time, onState: state => void states.push(state) })
  await clock.runFor(10)

  for (let stall = 0; stall < 10; stall++) {
    due.shift()?.()
    due.shift()?.()
    await clock.runFor(60_000)
  }

  expect(states).toEqual(['well'])
  for (let beat = 0; beat < 4; beat++) due.shift()?.()
  expect(states).toEqual(['well', 'away'])
})

test('closed, nothing beats', async () => {
  const { clock, time, pulse, bus } = beating()
  await clock.runUntil(1_500)

  pulse.close()
  const { published } = bus.counts()
  await clock.runUntil(20_000)

  expect(bus.counts().published).toBe(published)
  expect(time.pending).toBe(0)
  expect(bounds.beatsUnheardMax * bounds.beatMs).toBe(3_000)
})
