/**
 * What the largest real documents need, against the limits on how much a document may be made of. CHORUS_TRACES names
 * files of real editing sessions, comma-separated; without it one of the same shape is generated.
 */
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { defaultLimits } from '../../src/base/limits.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { applyPatches, generateTrace, readTrace, type Trace } from '../support/trace.ts'

const paths = (process.env.CHORUS_TRACES ?? '').split(',').filter(path => path !== '')
const traces = paths.length > 0 ? paths.map(readTrace) : [generateTrace({ seed: 1, count: 2_000 })]

/** Of typed text alone: some nine million keystrokes. */
const largestBytes = 16 * 2 ** 20

test.each(traces)(
  'a document of 16 MiB that was typed like $name is within updateRangesMax',
  { timeout: 300_000 },
  trace => {
    const update = Y.encodeStateAsUpdate(replayed(trace))
    const { structs, deletes, dependencies } = scanUpdate(update)

    const ranges = structs.length + deletes.length + dependencies.length

    expect((ranges / update.length) * largestBytes).toBeLessThan(defaultLimits.updateRangesMax)
  }
)

/** One document for each agent, which sees of the others what the trace says. */
function replayed(trace: Trace): Y.Doc {
  const agents = Array.from({ length: trace.agents }, () => ({ doc: new Y.Doc(), seen: new Set<number>() }))
  const updates: Uint8Array[] = []
  for (const [index, { agent, parents, patches }] of trace.transactions.entries()) {
    const { doc, seen } = agents[agent] as (typeof agents)[number]
    for (const parent of unseen(trace, parents, seen)) Y.applyUpdate(doc, updates[parent] as Uint8Array)
    let update = Uint8Array.of(0, 0)
    doc.once('update', (made: Uint8Array) => {
      update = Uint8Array.from(made)
    })
    doc.transact(() => applyPatches(doc.getText('t'), patches))
    updates.push(update)
    seen.add(index)
  }
  const whole = new Y.Doc()
  whole.transact(() => {
    for (const update of updates) Y.applyUpdate(whole, update)
  })
  return whole
}

/** The transactions that these stand on and that are not among the seen, in order; they are seen now. */
function unseen(trace: Trace, parents: readonly number[], seen: Set<number>): number[] {
  const found: number[] = []
  const open = [...parents]
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    if (seen.has(index)) continue
    seen.add(index)
    found.push(index)
    open.push(...(trace.transactions[index]?.parents ?? []))
  }
  return found.sort((a, b) => a - b)
}
