/**
 * The suite every bus must pass, without a test runner: named cases, each with a place of its own or one that they share.
 *
 *   for (const { name, run } of busConformanceCases) test(name, () => run(place))
 *
 * A bus may lose what it is given, so a case says a thing until it is heard. What must not happen is looked for until
 * something later has been heard.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { bounds } from './bounds.ts'
import type { BusReport } from './bus.ts'
import { aCase, bytesOf, type ConformanceCase, Ear, sayUntilHeard } from './conformance-case.ts'

export type { BusPlace, ConformanceCase } from './conformance-case.ts'

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1')

/** What brokers give a meaning to, or do not allow. */
const awkward = [
  ...['*', '>', 'a.b', 'a.*', 'a.>', '.', '..', '#', 'a b', ' ', '\r\n', '\0', '__keyspace@0__:a', '$SYS'],
  ...['é', '😀', '/', '{a}', 'y'.repeat(4_000)]
]

export const busConformanceCases: readonly ConformanceCase[] = [
  aCase('a message reaches every node, its own sender as well, byte for byte', async ({ a, b }) => {
    const topic = randomUUID()
    const long = everyByte.repeat(bounds.messageBytesMax / 256)
    const ears = [a, b].map(bus => {
      const ear = new Ear()
      bus.subscribe(topic, ear.hear)
      return ear
    })

    for (const text of ['', everyByte, long]) {
      const heard = ears.map(ear => ear.until(all => all.includes(text)))
      await sayUntilHeard(() => void a.publish(topic, bytesOf(text)), Promise.all(heard).then())
    }

    for (const ear of ears) assert.deepEqual([...new Set(ear.heard)].sort(), ['', everyByte, long].sort())
    assert.ok(a.counts().published >= 3)
    assert.ok(b.counts().received >= 3)
  }),

  aCase('topics are apart, whatever their names', async ({ a, b }) => {
    const prefix = randomUUID()
    const topics = [...awkward.map(text => text + prefix), ...awkward.map(text => prefix + text)]
    const ears = topics.map(topic => {
      const ear = new Ear()
      b.subscribe(topic, ear.hear)
      return ear
    })

    for (const [index, topic] of topics.entries()) {
      const heard = ears[index]?.until(all => all.length > 0) ?? assert.fail()
      await sayUntilHeard(() => void a.publish(topic, bytesOf(String(index))), heard)
    }

    for (const [index, ear] of ears.entries()) assert.deepEqual([...new Set(ear.heard)], [String(index)])
  }),

  aCase('one of two subscribers ends, and the other goes on; ending twice is nothing', async ({ a, b }) => {
    const topic = randomUUID()
    const [stays, goes] = [new Ear(), new Ear()]
    b.subscribe(topic, stays.hear)
    const end = b.subscribe(topic, goes.hear)
    await sayUntilHeard(
      () => void a.publish(topic, bytesOf('both')),
      Promise.all([stays, goes].map(ear => ear.until(all => all.includes('both')))).then()
    )

    end()
    end()
    const before = goes.heard.length
    await sayUntilHeard(
      () => void a.publish(topic, bytesOf('one')),
      stays.until(all => all.includes('one'))
    )

    assert.equal(goes.heard.length, before)
  }),

  aCase('two subscriptions of one function are two', async ({ a }) => {
    const topic = randomUUID()
    const ear = new Ear()
    const end = a.subscribe(topic, ear.hear)
    a.subscribe(topic, ear.hear)
    await sayUntilHeard(
      () => void a.publish(topic, bytesOf('x')),
      ear.until(all => all.length >= 2)
    )

    end()
    await sayUntilHeard(
      () => void a.publish(topic, bytesOf('y')),
      ear.until(all => all.includes('y'))
    )
  }),

  aCase('who has ended hears nothing, and may come again', async ({ a, b }) => {
    const [topic, marker] = [randomUUID(), randomUUID()]
    const [ear, later] = [new Ear(), new Ear()]
    b.subscribe(marker, later.hear)
    for (const round of ['1', '2', '3']) {
      const end = b.subscribe(topic, ear.hear)
      await sayUntilHeard(
        () => void a.publish(topic, bytesOf(round)),
        ear.until(all => all.includes(round))
      )
      end()
      const before = ear.heard.length
      await sayUntilHeard(
        () => {
          a.publish(topic, bytesOf('unheard'))
          a.publish(marker, bytesOf(round))
        },
        later.until(all => all.includes(round))
      )
      assert.equal(ear.heard.length, before)
    }
  }),

  aCase('a message that is too long is not taken, and the next one is', async ({ a, b }) => {
    const topic = randomUUID()
    const ear = new Ear()
    b.subscribe(topic, ear.hear)

    assert.equal(a.publish(topic, new Uint8Array(bounds.messageBytesMax + 1)), false)
    await sayUntilHeard(
      () => void a.publish(topic, bytesOf('short')),
      ear.until(all => all.length > 0)
    )

    assert.equal(a.counts().droppedLarge, 1)
    assert.deepEqual([...new Set(ear.heard)], ['short'])
  }),

  aCase('a subscriber that throws is reported, and keeps nobody else from hearing', async ({ a, open }) => {
    const topic = randomUUID()
    const reports: BusReport[] = []
    const bus = await open({ onReport: report => void reports.push(report) })
    const ear = new Ear()
    const error = new Error('of the subscriber')
    bus.subscribe(topic, () => {
      throw error
    })
    bus.subscribe(topic, ear.hear)

    await sayUntilHeard(
      () => void a.publish(topic, bytesOf('x')),
      ear.until(all => all.length > 0)
    )

    assert.deepEqual(reports[0], { type: 'subscriber-failed', error })
  }),

  aCase('nothing is heard within the call that says it', async ({ a }) => {
    const topic = randomUUID()
    const ear = new Ear()
    a.subscribe(topic, ear.hear)
    let within = 0

    await sayUntilHeard(
      () => {
        const before = ear.heard.length
        a.publish(topic, bytesOf('x'))
        within += ear.heard.length - before
      },
      ear.until(all => all.length > 0)
    )

    assert.equal(within, 0)
  }),

  aCase('three hundred topics, each heard by who asked for it', async ({ a, b }) => {
    const prefix = randomUUID()
    const missing = new Set(Array.from({ length: 300 }, (_, index) => String(index)))
    const ear = new Ear()
    for (const each of missing) b.subscribe(prefix + each, bytes => ear.hear(bytes))

    await sayUntilHeard(
      () => {
        for (const text of ear.heard) missing.delete(text)
        for (const each of missing) a.publish(prefix + each, bytesOf(each))
      },
      ear.until(all => new Set(all).size === 300)
    )

    assert.equal(new Set(ear.heard).size, 300)
  }),

  aCase('what is no topic is refused', async ({ a }) => {
    for (const topic of [
      '',
      'y'.repeat(bounds.topicBytesMax + 1),
      'é'.repeat(bounds.topicBytesMax / 2 + 1)
    ]) {
      assert.throws(() => a.publish(topic, bytesOf('x')), { code: 'BUS_ARGUMENT' })
      assert.throws(() => a.subscribe(topic, () => {}), { code: 'BUS_ARGUMENT' })
    }
  }),

  aCase('what is closed takes nothing, calls nobody and may be closed again', async ({ a, b }) => {
    const topic = randomUUID()
    const [ear, others] = [new Ear(), new Ear()]
    a.subscribe(topic, ear.hear)
    b.subscribe(topic, others.hear)
    const states: string[] = []
    a.watch(({ state }) => void states.push(state))

    await a.close()
    await a.close()
    a.subscribe(topic, ear.hear)()

    assert.equal(a.publish(topic, bytesOf('x')), false)
    await sayUntilHeard(
      () => void b.publish(topic, bytesOf('y')),
      others.until(all => all.includes('y'))
    )
    assert.deepEqual(ear.heard, [])
    assert.deepEqual(states, [])
    assert.equal(a.status().state, 'away')
  }),

  aCase('what was taken before it closes still leaves', async ({ b, open }) => {
    const topic = randomUUID()
    const ear = new Ear()
    b.subscribe(topic, ear.hear)
    let count = 0

    for (let isHeard = false; !isHeard; ) {
      const leaving = await open()
      for (const word of ['first', 'last']) leaving.publish(topic, bytesOf(`${word} ${count}`))
      await leaving.close()
      // The subscription may have been on its way: then the next one is heard.
      const marker = randomUUID()
      const later = new Ear()
      const end = b.subscribe(marker, later.hear)
      await sayUntilHeard(
        () => void b.publish(marker, bytesOf('x')),
        later.until(all => all.length > 0)
      )
      end()
      isHeard = ear.heard.includes(`last ${count}`)
      assert.ok(count++ < 20, 'never heard')
    }
  })
]
