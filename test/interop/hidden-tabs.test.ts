/**
 * A hidden tab: its timers do not run, its messages are handled. Real clients with the timer of their awareness stopped
 * stay visible to others as long as they are connected. CHORUS_LONG=1: for 150 s, at the server's own limits; otherwise
 * with limits as much shorter, where what others would drop after 30 s shows in their clocks.
 */
import { describe, expect, test } from 'vitest'
import { until } from '../support/clients.ts'
import { goneSoon, hocuspocus, type Person, people, stateOf, yWebsocket } from '../support/people.ts'
import { startServer } from '../support/server.ts'

const isLong = process.env.CHORUS_LONG === '1'
const quick = { awarenessLateMs: 150, awarenessRenewalMs: 50, awarenessTakeoverMs: 60 }

/** As in a hidden tab, but for good. Returns what it set. */
function hide({ awareness }: Person, name: string): { readonly name: string } {
  awareness.setLocalState({ name })
  clearInterval(awareness._checkInterval)
  return { name }
}

function clockOf(viewer: Person, { clientID }: Person): number {
  return viewer.awareness.meta.get(clientID)?.clock ?? -1
}

/** Counts how often the viewer has dropped the person. */
function dropsBy(viewer: Person, { clientID }: Person): () => number {
  let drops = 0
  viewer.awareness.on('change', ({ removed }: { removed: number[] }) => {
    if (removed.includes(clientID)) drops++
  })
  return () => drops
}

describe.skipIf(isLong)('a hidden tab', () => {
  test.each(people)(
    '[AW10] of %s stays visible, keeps what it says, and is gone when it closes',
    async (name, open) => {
      const { url } = await startServer({ limits: quick })
      const viewers = [await yWebsocket(url, '3.1'), await hocuspocus(url, '4.8')]
      const hidden = await open(url)
      const state = hide(hidden, name)
      await until(() => viewers.every(viewer => stateOf(viewer, hidden) !== undefined), 'it to be seen')
      const drops = viewers.map(viewer => dropsBy(viewer, hidden))
      const clocks = viewers.map(viewer => clockOf(viewer, hidden))

      const renewed = (times: number) =>
        viewers.every((viewer, i) => clockOf(viewer, hidden) >= (clocks[i] ?? 0) + times)
      await until(() => renewed(5), 'five renewals')

      expect(hidden.awareness.getLocalState()).toEqual(state)
      // It is in step: what it does next is not taken for something old.
      hidden.awareness.setLocalState({ name, cursor: 1 })
      await until(
        () => viewers.every(viewer => JSON.stringify(stateOf(viewer, hidden))?.includes('cursor')),
        'its cursor'
      )
      await until(() => renewed(8), 'more renewals')
      expect(hidden.awareness.getLocalState()).toEqual({ name, cursor: 1 })
      for (const viewer of viewers) expect(stateOf(viewer, hidden)).toEqual({ name, cursor: 1 })
      expect(drops.map(count => count())).toEqual([0, 0])
      await goneSoon(hidden, viewers)
    }
  )

  test.each(people)(
    '[AW10] of %s whose timer comes once in a while still renews itself',
    async (name, open) => {
      const { url } = await startServer({ limits: quick })
      const viewer = await yWebsocket(url, '3.1')
      const hidden = await open(url)
      const state = hide(hidden, name)
      await until(() => stateOf(viewer, hidden) !== undefined, 'it to be seen')
      const drops = dropsBy(viewer, hidden)

      for (let i = 0; i < 5; i++) {
        const clock = clockOf(viewer, hidden)
        await until(() => clockOf(viewer, hidden) >= clock + 2, 'renewals by the server')
        hidden.awareness.setLocalState(hidden.awareness.getLocalState())
      }
      const own = () => hidden.awareness.meta.get(hidden.clientID)?.clock ?? -1
      await until(() => Math.abs(own() - clockOf(viewer, hidden)) <= 2, 'the owner to be in step')

      expect(drops()).toBe(0)
      expect(hidden.awareness.getLocalState()).toEqual(state)
    }
  )
})

describe.runIf(isLong)('a hidden tab for 150 s', () => {
  test('[AW10] of every client stays visible to every client, and is gone soon after it closes', async () => {
    const { url } = await startServer()
    const viewers: Person[] = []
    for (const [, open] of people) viewers.push(await open(url))
    const hidden: Person[] = []
    for (const [name, open] of people) {
      const person = await open(url)
      hide(person, name)
      hidden.push(person)
    }
    const isSeen = () =>
      viewers.every(viewer => hidden.every(person => stateOf(viewer, person) !== undefined))
    await until(isSeen, 'all to be seen')
    const drops = viewers.flatMap(viewer => hidden.map(person => dropsBy(viewer, person)))

    await new Promise(resolve => setTimeout(resolve, 150_000))

    expect(drops.map(count => count()).filter(count => count > 0)).toEqual([])
    expect(isSeen()).toBe(true)
    for (const person of hidden) await goneSoon(person, viewers)
  }, 240_000)
})
