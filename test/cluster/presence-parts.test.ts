/** The parts of presence across nodes, each by itself: what is told, what is heard of it, in which order it is shown. */
import { describe, expect, test } from 'vitest'
import { withLimits } from '../../src/base/limits.ts'
import { readBeat, writeBeats } from '../../src/cluster/presence-beat.ts'
import { readPresence, writePresence } from '../../src/cluster/presence-message.ts'
import { isNullState, nullState } from '../../src/dialect/awareness-update.ts'
import { Departed } from '../../src/room/departed.ts'
import { ForeignPresence } from '../../src/room/foreign-presence.ts'
import { ForeignRoom } from '../../src/room/foreign-room.ts'
import type { PresenceMessage, ToldState, ToldStates } from '../../src/room/presence-line.ts'
import { ToldPresence } from '../../src/room/told-presence.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'

const limits = withLimits()
const json = (value: unknown) => new Uint8Array(Buffer.from(JSON.stringify(value)))
const state = (
  number: number,
  clientID: number,
  clock: number,
  more: Partial<ToldState> = {}
): ToldState => ({
  number,
  clientID,
  clock,
  claimedAtMs: 1_000,
  ageMs: 0,
  state: json({ clock }),
  ...more
})
const told = (since: number, states: readonly ToldState[], sequence = 0): ToldStates => ({
  type: 'states',
  since,
  upto: states.at(-1)?.number ?? since,
  position: { incarnation: 'life', sequence },
  states
})

describe('messages', () => {
  const examples: readonly PresenceMessage[] = [
    told(3, [state(5, 7, 9), state(8, 2 ** 40, 12, { state: nullState, ageMs: 12 })], 4),
    { ...told(0, []), position: { incarnation: null, sequence: 0 } },
    { type: 'ask', to: null, since: 0 },
    { type: 'ask', to: 'b', since: 12 },
    { type: 'raise', to: 'b', clocks: [{ clientID: 1, above: 2 }] },
    { type: 'claim', to: 'b', question: 1, clientID: 2 },
    { type: 'answer', to: 'b', question: 1, outcome: 'mine', clock: -1 },
    { type: 'answer', to: 'b', question: 1, outcome: 'yours', clock: 5 },
    { type: 'left' },
    { type: 'departed', to: 'b', clocks: [{ clientID: 1, clock: 2, ageMs: 3 }] }
  ]

  test('say the same when they have been read', () => {
    for (const message of examples) {
      const [bytes, ...more] = writePresence(3, message, 60_000)

      expect(more).toEqual([])
      expect(readPresence(bytes as Uint8Array, limits)).toEqual({ epoch: 3, message })
    }
  })

  test('that are cut short or garbled are none, or another; nothing else is thrown', () => {
    const random = randomOf(seed)
    for (const message of examples) {
      const [bytes] = writePresence(3, message, 60_000) as [Uint8Array]
      for (let i = 0; i < 200; i++) {
        const garbled = bytes.slice(0, 1 + Math.floor(random() * bytes.length))
        garbled[Math.floor(random() * garbled.length)] = Math.floor(random() * 256)
        try {
          readPresence(garbled, limits)
        } catch (error) {
          expect(error, `SEED=${seed}`).toMatchObject({ code: 'ERR_BAD_MESSAGE' })
        }
      }
    }
  })

  test('of the log, and of a later version, are not about presence', () => {
    expect(readPresence(Uint8Array.of(1, 2, 3), limits)).toBeNull()
    expect(readPresence(Uint8Array.of(0x60), limits)).toBeNull()
  })

  test('with a state that is no JSON, or with states out of order, are refused', () => {
    const bad = told(0, [state(1, 1, 1, { state: Uint8Array.of(0x7b) })])
    const disordered = { ...told(0, [state(2, 1, 1), state(1, 2, 1)]), upto: 2 }
    for (const message of [bad, disordered]) {
      const [bytes] = writePresence(1, message, 60_000) as [Uint8Array]
      expect(() => readPresence(bytes, limits)).toThrow(expect.objectContaining({ code: 'ERR_BAD_MESSAGE' }))
    }
  })

  test('are split to fit the bus; a state that fits into none is told as gone', () => {
    const large = (bytes: number) => ({ state: json('x'.repeat(bytes)) })
    const states = [state(1, 1, 1, large(900)), state(3, 2, 1, large(900)), state(4, 3, 1, large(3_000))]
    const parts = writePresence(1, { ...told(0, states), upto: 9 }, 2_000)
    const read = parts.map(bytes => readPresence(bytes, limits)?.message as ToldStates)

    expect(parts.every(({ length }) => length <= 2_000)).toBe(true)
    expect(read.map(({ since, upto }) => [since, upto])).toEqual([
      [0, 1],
      [1, 9]
    ])
    expect(read.flatMap(part => part.states.map(each => isNullState(each.state)))).toEqual([
      false,
      false,
      true
    ])
  })

  test('beats name rooms, in as many parts as it takes, and one even for none', () => {
    const entries = Array.from({ length: 300 }, (_, i) => ({
      key: i.toString(16).padStart(16, '0'),
      epoch: i + 1,
      told: i % 7 === 0 ? null : i
    }))
    const beats = writeBeats({ newNodes: ['b', 'c'], entries }, 4_000)

    expect(beats.length).toBeGreaterThan(1)
    expect(beats.every(({ length }) => length <= 4_000)).toBe(true)
    expect(beats.flatMap(bytes => readBeat(bytes).entries)).toEqual(entries)
    expect(beats.flatMap(bytes => readBeat(bytes).newNodes)).toEqual(['b', 'c'])
    expect(writeBeats({ newNodes: [], entries: [] }, 4_000)).toHaveLength(1)
  })
})

describe('what was told', () => {
  const publish = (clientID: number, clock: number, isGone = false) => ({
    clientID,
    clock,
    claimedAtMs: 0,
    publishedAtMs: 10,
    state: isGone ? nullState : json(clock)
  })

  test('is told again as it is now, with how long ago it was published', () => {
    const kept = new ToldPresence(10)
    kept.tell(publish(1, 1), 10)
    kept.tell(publish(2, 1), 10)
    kept.tell(publish(1, 2), 10)

    const after = kept.after(1, 25) ?? []

    expect(after.map(({ number, clientID, clock, ageMs }) => [number, clientID, clock, ageMs])).toEqual([
      [2, 2, 1, 15],
      [3, 1, 2, 15]
    ])
  })

  test('of those who are gone is kept for so many; who has missed more is told so', () => {
    const kept = new ToldPresence(2)
    for (let clientID = 1; clientID <= 4; clientID++) kept.tell(publish(clientID, 1, true), 10)

    expect(kept.after(1, 10)).toBeNull()
    expect(kept.after(2, 10)?.length).toBe(2)
    expect(kept.after(0, 10)?.length).toBe(2)
  })
})

describe('what is heard of another room', () => {
  const at = { nowMs: 0, moreMax: 1_000 }

  test('[seeded] is the same in the end, whatever the bus did, once what is missing was asked for', () => {
    for (let run = 0; run < 200; run++) {
      const random = randomOf(seed + run)
      const kept = new ToldPresence(1_000)
      const room = new ForeignRoom('b', 1)
      const latest = new Map<number, ToldState>()
      const seen = new Map<number, ToldState>()
      const underWay: ToldStates[] = []
      const arrive = (message: ToldStates) => {
        for (const taken of room.take(message, at)) {
          expect(taken.number, `SEED=${seed + run}`).toBeGreaterThan(seen.get(taken.clientID)?.number ?? 0)
          seen.set(taken.clientID, taken)
        }
      }
      for (let i = 1; i <= 60; i++) {
        const clientID = Math.floor(random() * 6)
        const isGone = random() < 0.3
        const next = { clientID, clock: i, claimedAtMs: 0, publishedAtMs: 0 }
        const since = kept.number
        const one = kept.tell({ ...next, state: isGone ? nullState : json(i) }, 0)
        latest.set(clientID, one)
        if (random() < 0.7) underWay.push(told(since, [one]))
        if (random() < 0.2) underWay.push(told(since, [one]))
        const [any] = random() < 0.5 ? underWay.splice(Math.floor(random() * underWay.length), 1) : []
        if (any !== undefined) arrive(any)
        if (random() < 0.1) arrive(told(room.heardUpto, kept.after(room.heardUpto, 0) ?? []))
      }
      room.stands(kept.number)
      if (room.isBehind) arrive(told(room.heardUpto, kept.after(room.heardUpto, 0) ?? []))

      expect(room.isBehind).toBe(false)
      for (const [clientID, { number, state: said }] of latest) {
        expect(seen.get(clientID)?.number, `SEED=${seed + run}`).toBe(number)
        expect(room.state(clientID)?.number, `SEED=${seed + run}`).toBe(
          isNullState(said) ? undefined : number
        )
      }
    }
  })

  test('is bounded: of further clientIDs nothing is kept', () => {
    const room = new ForeignRoom('b', 1)

    const taken = room.take(told(0, [state(1, 1, 1), state(2, 2, 1), state(3, 3, 1)]), { ...at, moreMax: 2 })

    expect(taken).toHaveLength(2)
    expect(room.size).toBe(2)
  })
})

describe('what members are shown', () => {
  function presence({ owned = [], ...more }: { owned?: number[] } & Partial<typeof limits> = {}) {
    const scope = new VirtualClock().scope()
    const departed = new Departed(scope, limits)
    const foreign = new ForeignPresence({ ...limits, ...more }, departed, {
      ownsState: clientID => owned.includes(clientID),
      ownStates: () => owned.length
    })
    const hear = (node: string, states: ToldState[], notBefore = 0, since = 0) => {
      const room = foreign.room(node, 1) as ForeignRoom
      foreign.take(room, told(since, states, notBefore), { nowMs: 0 })
    }
    const clocks = (sequence = 0, incarnation: string | null = 'life') =>
      foreign
        .resolve({ incarnation, sequence })
        .map(each => `${each.clientID}:${each.clock}${isNullState(each.state) ? '-' : ''}`)
    return { foreign, departed, hear, clocks }
  }

  test('waits for the record of the log that it follows, and not for those after it', () => {
    const { hear, clocks } = presence()

    hear('b', [state(1, 1, 1)], 5)
    const early = clocks(4)
    hear('b', [state(2, 1, 2)], 6, 1)
    const first = clocks(5)
    const second = clocks(6)

    expect([early, first, second]).toEqual([[], ['1:1'], ['1:2']])
  })

  test('is not that of another life of the document, however far the log has come', () => {
    const { hear, clocks } = presence()

    hear('b', [state(1, 1, 1)], 5)
    const beforeAny = clocks(0, null)
    const ofTheNext = clocks(9, 'next life')

    expect([beforeAny, ofTheNext, clocks(5)]).toEqual([[], [], ['1:1']])
  })

  test('goes with the node, with a clock that clients take, and comes back with a higher one that is asked for', () => {
    const { foreign, hear, clocks } = presence()
    hear('b', [state(1, 1, 4)])
    const come = clocks()
    foreign.silent('b')
    const gone = clocks()
    hear('b', [state(1, 1, 4)])
    const still = clocks()
    const asked = foreign.toAsk()
    hear('b', [state(2, 1, 6)], 0, 1)

    expect([come, gone, still, clocks()]).toEqual([['1:4'], ['1:4-'], [], ['1:6']])
    // One more than was heard: its last word may have been lost.
    expect(asked).toEqual([{ node: 'b', clientID: 1, above: 5 }])
    expect(foreign.askAgain()).toBe(false)
  })

  test('what was asked for is asked for until it comes, or is there no more', () => {
    const { foreign, hear, clocks } = presence()
    hear('b', [state(1, 1, 4)])
    clocks()
    foreign.knownUntil(0)
    const first = foreign.toAsk()
    const atOnce = foreign.toAsk()
    foreign.askAgain()
    const again = foreign.toAsk()
    foreign.silent('b')
    foreign.askAgain()

    expect([first.length, atOnce.length, again.length, foreign.toAsk().length]).toEqual([1, 0, 1, 0])
  })

  test('of two claims the earlier one is shown, and the other when that one is gone', () => {
    const { foreign, hear, clocks } = presence()
    hear('b', [state(1, 1, 4, { claimedAtMs: 20 })])
    const first = clocks()
    hear('c', [state(1, 1, 9, { claimedAtMs: 30 })])
    const other = clocks()
    hear('d', [state(1, 1, 5, { claimedAtMs: 10 })])
    const earlier = clocks()
    foreign.left('d', 1)
    foreign.left('b', 1)

    expect([first, other, earlier, clocks()]).toEqual([['1:4'], [], ['1:5'], ['1:9']])
  })

  test('never is a clientID that a member here has', () => {
    const { hear, clocks } = presence({ owned: [1] })
    hear('b', [state(1, 1, 4), state(2, 2, 1)])

    expect(clocks()).toEqual(['2:1'])
  })

  test('what comes late of a room that has ended is not shown', () => {
    const { foreign, hear, clocks } = presence()
    hear('b', [state(1, 1, 4)])
    clocks()
    foreign.left('b', 1)

    expect(clocks()).toEqual(['1:4-'])
    expect(foreign.room('b', 1)).toBeNull()
    expect(foreign.room('b', 2)).not.toBeNull()
  })

  test('is bounded: so many states, of so many nodes', () => {
    const { foreign, hear, clocks } = presence({ awarenessStatesMax: 3, presenceNodesMax: 2, owned: [9] })
    hear('b', [state(1, 1, 1)])
    hear('c', [state(1, 2, 1), state(2, 3, 1)])

    expect(clocks()).toEqual(['1:1', '2:1'])
    expect(foreign.room('d', 1)).toBeNull()
  })

  test('clocks of those who left elsewhere are known here', () => {
    const { departed, hear } = presence()
    hear('b', [state(1, 1, 7, { state: nullState })])

    expect(departed.clock(1)).toBe(7)
  })
})
