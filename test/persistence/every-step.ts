/**
 * One fixed sequence of calls on the simulated disk, with one fault at each of its steps in turn: after it, every call that
 * resolved has happened, the one cut off has happened whole or not at all, and nothing is left behind.
 */
import { expect } from 'vitest'
import { bytesOf, overwrite } from '../../persistence/conformance-tools.ts'
import { openOrderedStore } from '../../persistence/ordered-store.ts'
import { createSimulatedDisk, type SimulatedOutcome } from '../../persistence/simulated.ts'
import type { Store } from '../../persistence/store.ts'
import { simulatedPlace } from './places.ts'

export type Call = (store: Store) => Promise<unknown>

export type Sequence = {
  readonly script: readonly Call[]
  /** All that can be seen, as one comparable value. */
  readonly everything: (store: Store) => Promise<string>
}

export const faultOutcomes: readonly SimulatedOutcome[] = [
  'failed',
  'failed-but-written',
  'crash-before',
  'crash-after'
]

/** What is seen after 0, 1, 2... calls, and how many keys the disk then holds. */
type Clean = { readonly states: string[]; readonly keys: number[]; readonly steps: number }

export async function withoutFaults({ script, everything }: Sequence): Promise<Clean> {
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

export async function withFault(
  { script, everything }: Sequence,
  { clean, step: faultStep, outcome }: { clean: Clean; step: number; outcome: SimulatedOutcome }
): Promise<void> {
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

export async function checkpoint(store: Store, document: string, segments: readonly Uint8Array[]) {
  const result = await overwrite(store, { document, from: await store.load(document), segments })
  if (result.outcome !== 'written') throw new Error('superseded')
}

export function append(store: Store, document: string, ...labels: string[]) {
  return store.append(labels.map(label => ({ document, record: bytesOf(label) })))
}
