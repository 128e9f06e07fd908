// What the history page computes by itself: the line of the past, the questions under way, and who is who.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import type { Burst } from '../../demo/src/past/answers.ts'
import { axisOf, burstsAt, pauseBefore, shareOf, timeAt } from '../../demo/src/past/axis.ts'
import { LatestAnswer } from '../../demo/src/past/latest.ts'
import { documentPrefix, peopleIn, peopleName, signEdits, textOf } from '../../demo/src/past/model.ts'
import { createSignal } from '../../demo/src/signal.ts'
import { matchesRoom } from '../../src/access/patterns.ts'
import { demoHistory, demoHistoryRules } from '../../src/command/demo-history.ts'

describe('the line of the past', () => {
  const bursts = [
    burst({ connection: 'a', sequences: [1, 5], ms: [1_000, 3_000] }),
    burst({ connection: 'b', sequences: [4, 10], ms: [2_500, 6_000] }),
    // A night later.
    burst({ connection: 'a', sequences: [11, 12], ms: [40_000_000, 40_001_000] })
  ]
  const axis = axisOf({ beginsAt: { sequence: 0, timeMs: 0 }, head: 12, versions: [] }, bursts, true)

  test('a night without work takes no room on it, and is a pause to compare with', () => {
    expect(shareOf(axis, 11) - shareOf(axis, 10)).toBeCloseTo(1 / 12)
    expect(axis.pauses).toEqual([{ afterSequence: 10, ms: 39_994_000 }])
    expect(pauseBefore(axis, 12)).toBe(10)
    expect(pauseBefore(axis, 10)).toBe(0)
  })

  test('each place on it has a time and those who were at work', () => {
    expect(timeAt(axis, 0)).toBe(null)
    expect(timeAt(axis, 1)).toBe(1_000)
    expect(timeAt(axis, 10)).toBe(6_000)
    expect(timeAt(axis, 12)).toBe(40_001_000)
    expect(burstsAt(axis, 5).map(({ author }) => author?.connection)).toEqual(['a', 'b'])
  })

  test('where older bursts were left out, it begins with those that are known', () => {
    const cut = axisOf(
      { beginsAt: { sequence: 0, timeMs: 0 }, head: 12, versions: [] },
      bursts.slice(2),
      false
    )

    expect([cut.first, cut.last]).toEqual([10, 12])
  })

  test('a document in which nothing happened has a line of one place', () => {
    const empty = axisOf({ beginsAt: { sequence: 3, timeMs: 0 }, head: 3, versions: [] }, [], true)

    expect([empty.first, empty.last, shareOf(empty, 3)]).toEqual([3, 3, 1])
  })
})

describe('questions that change faster than they are answered', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  test('one is under way, one waits, and those between are not asked', async () => {
    const { latest, loads } = asking()
    const answers = [latest.ask('a'), latest.ask('b'), latest.ask('c')]
    loads[0]?.answer('A')
    await answers[0]

    expect(loads.map(({ question }) => question)).toEqual(['a', 'c'])
    loads[1]?.answer('C')
    expect(await Promise.all(answers)).toEqual(['A', null, 'C'])
  })

  test('one that takes long is given up for a newer one, and only then', async () => {
    const { latest, loads } = asking()
    const first = latest.ask('a')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(loads[0]?.signal.aborted).toBe(false)
    const second = latest.ask('b')
    await vi.advanceTimersByTimeAsync(0)

    expect(loads[0]?.signal.aborted).toBe(true)
    expect(await first).toBe(null)
    loads[1]?.answer('B')
    expect(await second).toBe('B')
  })

  test('what was answered is not asked again, as long as it is among the newest', async () => {
    const { latest, loads } = asking()
    for (const question of ['a', 'b', 'a', 'c', 'a', 'b']) {
      const answer = latest.ask(question)
      loads.at(-1)?.answer(question.toUpperCase())
      expect(await answer).toBe(question.toUpperCase())
    }

    // Two are kept: b had to go for c.
    expect(loads.map(({ question }) => question)).toEqual(['a', 'b', 'c', 'b'])
  })

  test('an answer that comes after that to a later question is not shown', async () => {
    const { latest, loads } = asking()
    const first = latest.ask('a')
    loads[0]?.answer('A')
    await first
    const slow = latest.ask('b')

    expect(await latest.ask('a')).toBe('A')
    loads[1]?.answer('B')
    expect(await slow).toBe(null)
  })

  test('a failure is told, and the next question is asked', async () => {
    const { latest, loads } = asking()
    const failed = latest.ask('a')
    const next = latest.ask('b')
    loads[0]?.fail(new Error('no'))
    await expect(failed).rejects.toThrow('no')
    loads[1]?.answer('B')

    expect(await next).toBe('B')
  })
})

describe('people who have not signed in', () => {
  test('sign each connection once, when they first write over it', () => {
    const doc = new Y.Doc()
    const connection = createSignal({ phase: 'online' })
    const person = createSignal({ name: 'Ada', color: '#7950f2' })
    signEdits({ doc, connection, person })
    const signatures = () => [...doc.getMap(peopleName).values()]
    expect(signatures()).toEqual([])

    textOf(doc).insert(0, 'a')
    textOf(doc).insert(1, 'b')
    expect(signatures()).toEqual([{ name: 'Ada', color: '#7950f2' }])
    person.set({ name: 'Ada L.', color: '#7950f2' })
    expect(signatures()).toEqual([{ name: 'Ada L.', color: '#7950f2' }])

    // What is written offline comes with the next connection: one signature for both.
    connection.set({ phase: 'cut' })
    connection.set({ phase: 'online' })
    textOf(doc).insert(2, 'c')
    expect(signatures()).toHaveLength(2)
  })

  test('are known by the connection that brought their signature, and nothing else is taken for one', () => {
    const by = (connection: string) => ({
      author: { user: null, connection, origin: 'client' },
      timeMs: 0,
      sequence: 1
    })
    const piece = (value: unknown, connection: string) =>
      [{ change: 'kept' as const, by: by(connection), value }] as const

    const people = peopleIn({
      pieces: [],
      entries: {
        x: piece({ name: 'Ada', color: '#7950f2' }, 'run-1'),
        y: piece({ name: 'Eve', color: 'url(https://example.org)' }, 'run-2'),
        z: piece('Mallory', 'run-3')
      }
    })

    expect([...people]).toEqual([['run-1', { name: 'Ada', color: '#7950f2' }]])
  })
})

describe('the documents of the page', () => {
  test('have a history whatever the room is called, and no others do', () => {
    const matches = (name: string) => matchesRoom(demoHistory.documents, name)

    expect(matches(`${documentPrefix}demo-abc`)).toBe(true)
    expect(matches(`${documentPrefix}team/notes`)).toBe(true)
    expect(matches('demo-abc')).toBe(false)
  })

  test('have it only where the demo is served and nobody signs in', () => {
    expect(demoHistoryRules({ demo: 'auto', auth: 'loopback' })).toEqual([demoHistory])
    expect(demoHistoryRules({ demo: 'on', auth: 'none' })).toEqual([demoHistory])
    expect(demoHistoryRules({ demo: 'off', auth: 'loopback' })).toEqual([])
    expect(demoHistoryRules({ demo: 'on', auth: 'jwt' })).toEqual([])
  })
})

type Load = {
  readonly question: string
  readonly signal: AbortSignal
  answer(text: string): void
  fail(error: Error): void
}

/** Two answers are kept, and one is waited for 250 ms. */
function asking() {
  const loads: Load[] = []
  const latest = new LatestAnswer<string, string>({
    keyOf: question => question,
    load: (question, signal) =>
      new Promise((answer, fail) => {
        signal.addEventListener('abort', () => fail(signal.reason))
        loads.push({ question, signal, answer, fail })
      }),
    patienceMs: 250,
    keptMax: 2
  })
  return { latest, loads }
}

function burst({
  connection,
  sequences: [firstSequence, lastSequence],
  ms: [fromMs, toMs]
}: {
  connection: string
  sequences: [number, number]
  ms: [number, number]
}): Burst {
  const author = { user: null, connection, origin: 'client' }
  return { author, fromMs, toMs, firstSequence, lastSequence, inserted: 1, deleted: 0 }
}
