/**
 * Editing sessions as patches `[position, deleted, inserted]`: read from a trace, or generated: someone typing a text
 * in bursts, taking some of it back, going elsewhere. And what Yjs makes of them.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { seeded } from './random.js'

const letters = 'etaoin shrdlu cmfwyp vbgkqjxz e t a'

/** `count` updates, one per patch, and the text they lead to. Without `trace` (a path) a generated session. */
export function sessionUpdates({ trace = null, count, lengthMax = Number.POSITIVE_INFINITY }) {
  if (trace === null) return typedUpdates(generateSession(count, { lengthMax }))
  const recorded = readTrace(trace)
  return 'numAgents' in recorded && recorded.numAgents > 1
    ? concurrentUpdates(recorded, count)
    : typedUpdates(recorded.txns.flatMap(({ patches }) => patches).slice(0, count))
}

export function generateSession(count, { seed = 7, lengthMax = Number.POSITIVE_INFINITY } = {}) {
  const random = seeded(seed)
  const patches = []
  let length = 0
  let at = 0
  let left = 0
  let isErasing = false
  while (patches.length < count) {
    if (left-- <= 0) {
      isErasing = length > lengthMax ? random() < 0.6 : random() < 0.25
      left = Math.floor(isErasing ? random() * 12 : 4 + random() * 60)
      if (random() < 0.3) at = Math.floor(random() * (length + 1))
    }
    if (isErasing && at > 0) {
      patches.push([--at, 1, ''])
      length--
    } else {
      patches.push([at++, 0, letters[Math.floor(random() * letters.length)]])
      length++
    }
  }
  return patches
}

function readTrace(path) {
  const bytes = readFileSync(path)
  return JSON.parse(path.endsWith('.gz') ? gunzipSync(bytes) : bytes)
}

function createTypist(index) {
  const doc = new Y.Doc()
  doc.clientID = 2_166_136_261 + index
  return doc
}

function patch(text, [position, deleted, inserted]) {
  if (deleted > 0) text.delete(position, deleted)
  if (inserted !== '') text.insert(position, inserted)
}

function typedUpdates(patches) {
  const doc = createTypist(0)
  const updates = []
  doc.on('update', update => updates.push(update))
  const text = doc.getText('text')
  for (const each of patches) doc.transact(() => patch(text, each))
  return { updates, doc }
}

/** One Y.Doc per agent; before a transaction, its agent sees what the trace says it had seen. */
function concurrentUpdates({ txns, numAgents }, count) {
  const typists = Array.from({ length: numAgents }, (_, agent) => ({
    doc: createTypist(agent),
    has: new Set()
  }))
  const updates = []
  for (const [index, { agent, parents, patches }] of txns.slice(0, count).entries()) {
    const { doc, has } = typists[agent]
    for (const missing of ancestorsOf(parents, txns, has)) Y.applyUpdate(doc, updates[missing])
    let made = null
    doc.once('update', update => {
      made = update
    })
    const text = doc.getText('text')
    doc.transact(() => {
      for (const each of patches) patch(text, each)
    })
    updates.push(made ?? Uint8Array.of(0, 0))
    has.add(index)
  }
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update)
  })
  return { updates, doc }
}

/** The transactions before `parents` that are not in `has`, oldest first; adds them to it. */
function ancestorsOf(parents, txns, has) {
  const found = []
  const open = [...parents]
  while (open.length > 0) {
    const index = open.pop()
    if (has.has(index)) continue
    has.add(index)
    found.push(index)
    open.push(...txns[index].parents)
  }
  return found.sort((a, b) => a - b)
}
