/**
 * Presence of real clients on several servers with one PostgreSQL, over a bus that loses, doubles and delays messages, is
 * cut or away: who is seen by whom.
 */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import { until } from '../support/clients.ts'
import { hocuspocus, type Person, stateOf, yWebsocket } from '../support/people.ts'
import { startProxy } from '../support/proxy.ts'
import { randomOf } from '../support/random.ts'
import { awarenessFrame, openRaw } from '../support/raw.ts'
import { startNodes } from '../support/sealed-nodes.ts'
import { seed } from '../support/seed.ts'
import { quietLog } from '../support/server.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'

/** Beats as by default, five times faster. Nobody is seen again because a state was renewed anyway. */
const quick = { presenceBeatMs: 200, awarenessLateMs: 1_000_000_000 }

const nameOf = (viewer: Person, person: Person) =>
  (stateOf(viewer, person) as { name?: string } | undefined)?.name

const say = ({ awareness }: Person, name: string) => awareness.setLocalState({ name })

/** As in a hidden tab: its timers do not run. */
const hide = ({ awareness }: Person) => clearInterval(awareness._checkInterval)

/** Each of them sees each of the named ones, itself included, under its name. */
function seen(viewers: readonly Person[], named: ReadonlyMap<Person, string>, what: string): Promise<void> {
  const isSeen = () =>
    viewers.every(viewer => [...named].every(([person, name]) => nameOf(viewer, person) === name))
  return until(isSeen, what)
}

function gone(viewers: readonly Person[], person: Person): Promise<void> {
  return until(() => viewers.every(viewer => stateOf(viewer, person) === undefined), 'it to be gone')
}

describe.skipIf(postgresMissing !== null)('presence on several nodes', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())

  /** Somebody of each dialect in turn on each of the nodes, each seen by all. */
  async function peopleOn(urls: readonly string[]): Promise<Person[]> {
    const all: Person[] = []
    for (const [i, url] of urls.entries()) {
      const person = i % 2 === 0 ? await yWebsocket(url, '3.1') : await hocuspocus(url, '4.8')
      hide(person)
      say(person, `p${i}`)
      all.push(person)
    }
    await seen(all, new Map(all.map((person, i) => [person, `p${i}`])), 'everybody by everybody')
    return all
  }

  test('[AW12] members of all nodes see each other come, move and go', async () => {
    const nodes = await startNodes(3, createMemoryBroker(), { postgres, limits: quick })
    const all = await peopleOn(nodes.flatMap(({ url }) => [url, url]))

    for (let move = 0; move < 3; move++) {
      for (const [i, person] of all.entries()) say(person, `p${i} moves ${move}`)
      const moved = new Map(all.map((person, i) => [person, `p${i} moves ${move}`]))
      await seen(all, moved, `move ${move}`)
    }

    for (let left = all.shift(); left !== undefined; left = all.shift()) {
      left.destroy()
      await gone(all, left)
    }
    expect(all).toEqual([])
  })

  test('[AW12] a bus that loses, doubles and delays hides nobody, and leaves nobody behind', async () => {
    const faults = { loss: 0.3, repetition: 0.2, delayMinMs: 0, delayMaxMs: 40 }
    const broker = createMemoryBroker({ random: randomOf(seed), faults })
    const nodes = await startNodes(3, broker, { postgres, limits: quick })
    const all = await peopleOn(nodes.flatMap(({ url }) => [url, url]))

    for (let move = 0; move < 10; move++) {
      for (const [i, person] of all.entries()) say(person, `p${i} moves ${move}`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    const last = new Map(all.map((person, i) => [person, `p${i} moves 9`]))
    await seen(all, last, `SEED=${seed}: the last of everybody`)
    const [left, ...others] = all
    left?.destroy()
    await gone(others, left as Person)
    last.delete(left as Person)
    await seen(others, last, `SEED=${seed}: the others`)
  })

  test('[AW13] who is cut off is seen no more; afterwards everybody is seen again, whatever they did meanwhile', async () => {
    const broker = createMemoryBroker()
    const nodes = await startNodes(3, broker, { postgres, limits: quick })
    const all = await peopleOn(nodes.flatMap(({ url }) => [url, url]))
    const [away, , left] = all as [Person, Person, Person]

    broker.leave('node 0')
    await gone(all.slice(2), away)
    await gone(all.slice(0, 2), left)
    left.destroy()
    say(away, 'p0, alone')
    broker.comeBack()

    const others = all.filter(person => person !== left)
    const named = new Map(others.map(person => [person, `p${all.indexOf(person)}`]))
    await seen(others, named.set(away, 'p0, alone'), 'everybody again')
    await gone(others, left)
  })

  test('[AW13] a server that stops takes its members along at once', async () => {
    const limits = { ...quick, presenceBeatsUnheardMax: 1_000_000 }
    const [one, two] = await startNodes(2, createMemoryBroker(), { postgres, limits })
    const [ada, ben] = (await peopleOn([one?.url ?? '', two?.url ?? ''])) as [Person, Person]

    await one?.server.stop()

    await gone([ben], ada)
  })

  test('[AW10] a hidden tab is renewed on its node, and stays visible on the others', async () => {
    const limits = {
      presenceBeatMs: 200,
      awarenessLateMs: 150,
      awarenessRenewalMs: 50,
      awarenessTakeoverMs: 60
    }
    const [one, two] = await startNodes(2, createMemoryBroker(), { postgres, limits })
    const [hidden, viewer] = (await peopleOn([one?.url ?? '', two?.url ?? ''])) as [Person, Person]
    const clockOf = () => viewer.awareness.meta.get(hidden.clientID)?.clock ?? -1
    const before = clockOf()

    await until(() => clockOf() >= before + 5, 'five renewals')

    expect(nameOf(viewer, hidden)).toBe('p0')
  })

  test('[AW14] whoever goes to another node while the old connection is half-open is seen from there', async () => {
    const nodes = await startNodes(2, createMemoryBroker(), { postgres, limits: quick })
    const [one, two] = nodes.map(({ url }) => url) as [string, string]
    const proxy = await startProxy(one)
    const [viewer, other] = (await peopleOn([one, two])) as [Person, Person]
    const old = await openRaw({ url: proxy.url, path: 'room' })
    old.send(awarenessFrame({ clientID: 77, clock: 1, state: '{"name":"old"}' }))
    await old.ask()
    const says = (name: string) => () =>
      [viewer, other].every(({ awareness }) => awareness.getStates().get(77)?.name === name)
    await until(says('old'), 'it to be seen')
    proxy.freeze()

    const back = await openRaw({ url: two, path: 'room' })
    back.send(awarenessFrame({ clientID: 77, clock: 2, state: '{"name":"back"}' }))
    await back.ask()

    await until(says('back'), 'it to be seen again')
    back.socket.terminate()
    await until(
      () => [viewer, other].every(({ awareness }) => !awareness.getStates().has(77)),
      'it to be gone'
    )
  })

  test('[AW14] nobody takes the clientID of somebody who is there by going to another node', async () => {
    const broker = createMemoryBroker({ random: randomOf(seed), faults: { loss: 0.2 } })
    const nodes = await startNodes(3, broker, { postgres, limits: quick })
    const [one, two, three] = nodes.map(({ url }) => url) as [string, string, string]
    const [victim, viewer, beside] = (await peopleOn([one, three, two])) as [Person, Person, Person]
    const shown = new Set<string | undefined>()
    for (const person of [victim, viewer, beside])
      person.awareness.on('change', () => shown.add(nameOf(person, victim)))

    for (let attempt = 0; attempt < 5; attempt++) {
      const thief = await openRaw({ url: two, path: 'room' })
      await thief.ask()
      thief.send(
        awarenessFrame({ clientID: victim.clientID, clock: 1_000 + attempt, state: '{"name":"thief"}' })
      )
      thief.send(
        awarenessFrame({ clientID: victim.clientID, clock: 2_000 + attempt, state: '{"name":"thief"}' })
      )
      say(victim, `still ${attempt}`)
      await until(() => nameOf(viewer, victim) === `still ${attempt}`, `SEED=${seed}: attempt ${attempt}`)
      thief.socket.terminate()
    }

    expect([...shown].filter(name => name === 'thief')).toEqual([])
  })

  test("[AW13] a clientID that two nodes have after a partition is the earlier one's, if that one is there", async () => {
    const broker = createMemoryBroker()
    const nodes = await startNodes(2, broker, { postgres, limits: quick })
    const [one, two] = nodes.map(({ url }) => url) as [string, string]
    const all = await peopleOn([one, two])
    const [first, viewer] = all as [Person, Person]
    broker.leave('node 0')
    await gone([viewer], first)
    const later = await openRaw({ url: two, path: 'room' })
    later.send(awarenessFrame({ clientID: first.clientID, clock: 50, state: '{"name":"later"}' }))
    await later.ask()
    await until(() => nameOf(viewer, first) === 'later', 'the later one')

    broker.comeBack()

    await until(() => nameOf(viewer, first) === 'p0', 'the earlier one')
    say(first, 'still here')
    await until(() => nameOf(viewer, first) === 'still here', 'what it says')
  })

  test('[AW12] who comes back on another node sees at once who has not moved since', async () => {
    const nodes = await startNodes(2, createMemoryBroker(), { postgres, limits: quick })
    const [one, two] = nodes.map(({ url }) => url) as [string, string]
    const [ada] = (await peopleOn([one])) as [Person]
    const clocks: number[] = []
    for (const url of [one, two, one, two]) {
      const hopper = await openRaw({ url, path: 'room' })
      hopper.send(awarenessFrame({ clientID: 77, clock: 10 + clocks.length, state: '{"name":"hopper"}' }))
      await hopper.ask()
      const highest = () => Math.max(-1, ...hopper.entriesOf(ada.clientID).map(({ clock }) => clock))
      const before = clocks.at(-1) ?? -1
      await until(() => highest() > before, 'a clock that it does not know')
      await until(() => ada.awareness.getStates().has(77), 'it to be seen')
      clocks.push(highest())
      hopper.socket.terminate()
      await until(() => !ada.awareness.getStates().has(77), 'it to be gone')
    }
    expect(clocks).toHaveLength(4)
  })

  test('what is no message of presence is dropped, and harms nobody', async () => {
    const warned: unknown[] = []
    const log = { ...quietLog, warn: (fields: unknown) => void warned.push(fields) }
    const [one, two] = await startNodes(2, createMemoryBroker(), { postgres, limits: quick, log })
    const [ada, ben] = (await peopleOn([one?.url ?? '', two?.url ?? ''])) as [Person, Person]
    const topic = `document/${createHash('sha256').update('room').digest('base64url')}`

    for (const bytes of [[0x10], [0x10, 1, 0, 9], [0x12, 1, 40], [0x14, 0xff]])
      one?.sealed.publish(topic, Uint8Array.from(bytes))
    one?.sealed.publish('presence', Uint8Array.of(1, 0, 9))
    await until(() => warned.length >= 5, 'the log to say so')

    say(ada, 'still here')
    await until(() => nameOf(ben, ada) === 'still here', 'the next message')
  })
})
