/** What is set aside of old copies: each once, whole where there is room for it. */
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { withLimits } from '../../src/base/limits.ts'
import { KeptCopies } from '../../src/room/kept-copies.ts'
import { SetAsides } from '../../src/room/set-asides.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'

test('a copy of which only the beginning was kept is kept whole when it comes again and there is room', async () => {
  const clock = new VirtualClock()
  const time = clock.scope()
  const limits = withLimits({
    setAsideBytesBurstMax: 10_000,
    setAsideBytesPerSecondMax: 1_000,
    setAsideHeadBytes: 100
  })
  const store = createMemoryStore()
  const copies = new KeptCopies('a', {
    store,
    setAsides: new SetAsides({ store, time, limits }),
    time,
    limits
  })
  const setAside = (fill: number) => {
    const entry = { author: null, timeMs: 0, reason: 'old', bytes: new Uint8Array(15_000).fill(fill) }
    const done = copies.setAside('ada', entry)
    return clock.runFor(1).then(() => done)
  }
  const lengths = async () => (await store.listSetAside('a')).map(({ bytes }) => bytes.length)

  await setAside(1)
  await setAside(2)
  const first = await lengths()
  await clock.runFor(60_000)
  await setAside(2)
  await setAside(1)
  await setAside(2)

  expect(first).toEqual([15_000, 100])
  expect(await lengths()).toEqual([15_000, 100, 15_000])
})
