/**
 * The suite every outlet must pass, without a test runner: a list of named cases. Whoever tests an outlet brings a place: how
 * it is opened, and a receiver that tells what has arrived.
 *
 *   for (const { name, run } of outletConformanceCases) test(name, async () => run(await newPlace()))
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Delivery, FeedEvent, Outlet } from './outlet.ts'

/** One receiver, with nothing in it. */
export type OutletPlace = {
  open(): Promise<Outlet>
  /** What has arrived so far, in order: at least everything whose delivery has resolved. */
  received(): Promise<readonly FeedEvent[]>
  /** The receiver is not to be had any more, until `comeBack`: both absent where it cannot be taken away. */
  leave?(): Promise<void>
  comeBack?(): Promise<void>
}

export type OutletConformanceCase = { readonly name: string; run(place: OutletPlace): Promise<void> }

export const outletConformanceCases: readonly OutletConformanceCase[] = [
  aCase('an event that was delivered has arrived, whole', async (outlet, place) => {
    const event = anEvent({ document: 'team/ünïcode "x"\n', users: ['ada', 'b\r\nx: y'] })
    await outlet.deliver(deliveryOf(event))

    assert.deepEqual(await place.received(), [event])
  }),

  aCase('events of one document arrive in the order in which they were delivered', async (outlet, place) => {
    const events = Array.from({ length: 20 }, (_, index) => anEvent({ version: `1.${index}` }))
    for (const event of events) await outlet.deliver(deliveryOf(event))

    assert.deepEqual(versions(await place.received()), versions(events))
  }),

  aCase('events of many documents may be under way at once', async (outlet, place) => {
    const events = Array.from({ length: 30 }, (_, index) => anEvent({ document: `d${index}` }))
    await Promise.all(events.map(event => outlet.deliver(deliveryOf(event))))

    const arrived = (await place.received()).map(({ document }) => document)
    assert.deepEqual([...arrived].sort(), events.map(({ document }) => document).sort())
  }),

  aCase('an event that is delivered again arrives under the same id', async (outlet, place) => {
    const event = anEvent({})
    await outlet.deliver(deliveryOf(event))
    await outlet.deliver(deliveryOf(event))

    assert.deepEqual(new Set((await place.received()).map(({ id }) => id)), new Set([event.id]))
  }),

  aCase(
    'while the receiver is away a delivery rejects, and when it is back one arrives',
    async (outlet, place) => {
      if (place.leave === undefined || place.comeBack === undefined) return
      await outlet.deliver(deliveryOf(anEvent({ version: '1.1' })))
      await place.leave()
      await assert.rejects(outlet.deliver(deliveryOf(anEvent({ version: '1.2' }))))
      await place.comeBack()
      const last = anEvent({ version: '1.3' })
      await untilDelivered(outlet, last)

      const arrived = versions(await place.received())
      assert.equal(arrived.at(-1), '1.3')
    }
  ),

  aCase('what it is called holds no password, and stays the same', async (outlet, place) => {
    const again = await place.open()
    await again.close()

    assert.equal(again.name, outlet.name)
    assert.ok(outlet.name.length >= 1 && outlet.name.length <= 200)
    assert.doesNotMatch(outlet.name, /@/)
  }),

  {
    name: 'closed, it delivers nothing and leaves nothing open',
    run: async place => {
      const outlet = await place.open()
      await outlet.close()
    }
  }
]

function aCase(
  name: string,
  body: (outlet: Outlet, place: OutletPlace) => Promise<void>
): OutletConformanceCase {
  const run = async (place: OutletPlace) => {
    const outlet = await place.open()
    try {
      await body(outlet, place)
    } finally {
      await outlet.close()
    }
  }
  return { name, run }
}

function anEvent(some: Partial<FeedEvent>): FeedEvent {
  const at = new Date(1_700_000_000_000).toISOString()
  return { id: randomUUID(), type: 'document.changed', document: 'a', version: '1.1', users: [], at, ...some }
}

function deliveryOf(event: FeedEvent): Delivery {
  const authors = event.users.map(user => ({ user, connection: null, origin: 'client' }) as const)
  return { event, authors, read: async () => null, signal: AbortSignal.timeout(30_000) }
}

/** As the feed does it: again and again, for half a minute at most. */
async function untilDelivered(outlet: Outlet, event: FeedEvent): Promise<void> {
  const untilMs = Date.now() + 30_000
  for (;;) {
    const failure = await outlet.deliver(deliveryOf(event)).then(
      () => null,
      (error: unknown) => error
    )
    if (failure === null) return
    if (Date.now() > untilMs) throw failure
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

function versions(events: readonly FeedEvent[]): (string | null)[] {
  return events.map(({ version }) => version)
}
