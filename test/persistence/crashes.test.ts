/**
 * One fixed sequence of calls on the simulated disk, with one fault at each of its steps in turn: after it,
 * every call that resolved has happened, the one cut off has happened whole or not at all, and nothing is
 * left behind.
 */
import { describe, expect, test } from 'vitest'
import { bytesOf, labelOf, largeSegments, overwrite, seen } from '../../persistence/conformance-tools.ts'
import { openOrderedStore } from '../../persistence/ordered-store.ts'
import { createSimulatedDisk, type SimulatedOutcome } from '../../persistence/simulated.ts'
import type { Store } from '../../persistence/store.ts'
import { simulatedPlace } from './places.ts'

type Call = (store: Store) => Promise<unknown>

const script: readonly Call[] = [
  store => append(store, 'a', 'a1', 'a2'),
  store => append(store, 'b', 'b1'),
  store => checkpoint(store, 'a', largeSegments('A1')),
  store => append(store, 'a', 'a3'),
  store => append(store, 'c', 'c1'),
  store => checkpoint(store, 'b', [bytesOf('B1')]),
  store => append(store, 'b', 'b2', 'b3'),
  store => checkpoint(store, 'a', largeSegments('A2')),
  store => append(store, 'a', 'a4'),
  store => store.delete('b'),
  store => append(store, 'b', 'b4'),
  store => store.setAside('a', { author: null, timeMs: 0, reason: 'kept', bytes: bytesOf('kept') }),
  store => setAsideLarge(store, 'a', 'large'),
  store => store.delete('a'),
  store => setAsideLarge(store, 'b', 'larger'),
  store => store.dropSetAside('a', 2),
  store => append(store, 'c', 'c2'),
  store => checkpoint(store, 'c', largeSegments('C1')),
  store => append(store, 'c', 'c3')
]

const outcomes: readonly SimulatedOutcome[] = ['failed', 'failed-but-written', 'crash-before', 'crash-after']

/** What is seen after 0, 1, 2... calls, and how many keys the disk then holds. */
const clean = await withoutFaults()

describe('a fault at every step of a sequence of calls', () => {
  test('the sequence has many steps', () => {
    expect(clean.steps).toBeGreaterThan(25)
  })

  test.each(outcomes)('%s: nothing resolved is lost, nothing half done is seen', async outcome => {
    for (let step = 2; step <= clean.steps; step++) await withFault(step, outcome)
  })
})

async function withoutFaults() {
  const disk = createSimulatedDisk()
  const store = await openOrderedStore(disk.startProcess(), { schedule: () => () => {} })
  const states = [await everything(store)]
  const keys = [disk.entries().length]
  for (const call of script) {
    await call(store)
    states.push(await everything(store))
    keys.push(disk.entries().length)
  }
  return { states, keys, steps: disk.steps() }
}

async function withFault(faultStep: number, outcome: SimulatedOutcome): Promise<void> {
  const what = `${outcome} at step ${faultStep}`
  const place = simulatedPlace({
    survivors: unsynced => faultStep % (unsynced + 1),
    onWrite: ({ step }) => (step === faultStep ? outcome : 'written')
  })
  let store = await place.open()
  let cut = -1
  for (const [index, call] of script.entries()) {
    try {
      await call(store)
    } catch {
      cut = index
    }
    if (cut >= 0 || place.disk.steps() >= faultStep) {
      cut = index
      break
    }
  }

  if (outcome.startsWith('crash')) store = await place.open()
  const state = await everything(store)
  const known = clean.states.indexOf(state)
  expect([cut, cut + 1], `${what}\n${state}`).toContain(known)

  // A crash once more, then on: the rest of the sequence must find everything as it was.
  place.disk.crash()
  store = await place.open()
  expect(await everything(store), `${what}, then a crash`).toBe(state)
  for (const call of script.slice(known)) await call(store)
  await store.close()
  expect(place.disk.entries().length, `${what}: keys left behind`).toBe(clean.keys.at(-1))
  place.disk.crash()
  store = await place.open()
  expect(await everything(store), `${what}, and the rest`).toBe(clean.states.at(-1))
  await store.close()
}

function append(store: Store, document: string, ...labels: string[]) {
  return store.append(labels.map(label => ({ document, record: bytesOf(label) })))
}

async function checkpoint(store: Store, document: string, segments: readonly Uint8Array[]) {
  const result = await overwrite(store, { document, from: await store.load(document), segments })
  if (result.outcome !== 'written') throw new Error('superseded')
}

function setAsideLarge(store: Store, document: string, label: string) {
  return store.setAside(document, {
    author: null,
    timeMs: 0,
    reason: label,
    bytes: bytesOf(label, 900 * 1024)
  })
}

async function everything(store: Store): Promise<string> {
  const lines = [JSON.stringify(await store.list())]
  for (const document of await store.setAsideDocuments()) {
    for (const { number, reason, bytes } of await store.listSetAside(document)) {
      lines.push(`${document} ${number} ${reason} ${labelOf(bytes)} ${bytes.length}`)
    }
  }
  for (const document of ['a', 'b', 'c']) lines.push(JSON.stringify(seen(await store.load(document))))
  return lines.join('\n')
}
