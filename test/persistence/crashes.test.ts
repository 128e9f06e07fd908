/** A sequence of all that a log can be asked for, with a fault at every step: see `every-step.ts`. */
import { describe, expect, test } from 'vitest'
import { bytesOf, labelOf, largeSegments, seen } from '../../persistence/conformance-tools.ts'
import type { Store } from '../../persistence/store.ts'
import { append, type Call, checkpoint, faultOutcomes, withFault, withoutFaults } from './every-step.ts'

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

const sequence = { script, everything }
const clean = await withoutFaults(sequence)

describe('a fault at every step of a sequence of calls', () => {
  test('the sequence has many steps', () => {
    expect(clean.steps).toBeGreaterThan(25)
  })

  test.each(faultOutcomes)('%s: nothing resolved is lost, nothing half done is seen', async outcome => {
    for (let step = 2; step <= clean.steps; step++) await withFault(sequence, { clean, step, outcome })
  })
})

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
