import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { compactDocument } from '../../src/document/compact.ts'
import { heldBackFrames } from '../../src/document/held-back.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { cutSegments } from '../../src/document/segments.ts'
import { diffUpdate, mergeUpdates } from '../../src/document/splice.ts'
import { createHistory, createRandom, docOf, seed } from './random-docs.ts'
it('mutated', () => {
  console.log('seed', seed); console.error = () => {}; console.warn = () => {}
  const until = Date.now() + 45000
  let n = 0, bad = 0, refused = 0, pend = 0
  for (let round = 0; Date.now() < until; round++) {
    const random = createRandom(seed + round)
    const { updates } = createHistory(random, { clients: 3, steps: 30 })
    const whole = Y.mergeUpdates(updates)
    for (const u of [...updates, whole]) for (let k = 0; k < 6; k++) {
      const m = u.slice()
      for (let i = random.below(2); i >= 0; i--) m[random.below(m.length)] = random.pick([random.below(256), random.below(12), 0, 0x80 | random.below(12)])
      try { scanUpdate(m) } catch { continue }
      n++
      let step = 'merge'
      try {
        const merged = mergeUpdates([whole, m])
        scanUpdate(merged)
        const merged2 = mergeUpdates([m, ...updates])
        scanUpdate(merged2)
        docOf([merged]); docOf([merged2])
        step = 'diff'
        const v = new Map([...scanUpdate(m).structs].map(r => [r.client, random.below(Math.min(1e9, r.clock + r.length) + 2)]))
        scanUpdate(diffUpdate(m, v)); Y.diffUpdate(m, Y.encodeStateVector(v))
        step = 'cut'
        const segs = cutSegments(m, { segmentBytes: 64 })
        for (const s of segs) scanUpdate(s.update)
        docOf(segs.map(s => s.update))
        step = 'held'
        const fr = heldBackFrames(m, 40)
        for (const s of fr) scanUpdate(s)
        docOf(fr)
        step = 'compact'
        const r = compactDocument({ segments: [], entries: [...updates, m], sizes: { wholeBytesMax: 0, heldBackBytesMax: 0, segmentBytes: 100 } })
        refused += r.refused.length; pend += r.pending.length
      } catch (e) {
        bad++
        console.log(step, seed + round, Buffer.from(m).toString('hex'), (e as Error).stack)
        if (bad > 3) throw e
      }
    }
  }
  console.log(n, bad, refused, pend)
  expect(bad).toBe(0)
}, 120000)
