/**
 * What the benches of histories share: logs of typed text, of a board and of recorded editing, and the parts of a server that
 * compact and seal them.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { withLimits } from '../dist/src/base/limits.js'
import { createMetrics } from '../dist/src/base/metrics.js'
import { Slices } from '../dist/src/base/slices.js'
import { systemTime } from '../dist/src/base/time.js'
import { encodeRecord } from '../dist/src/document/record.js'
import { createWorkers } from '../dist/src/document/workers.js'
import { workersOptions } from '../dist/src/document/workers-options.js'
import { Histories } from '../dist/src/history/histories.js'
import { sealingWork } from '../dist/src/history/work.js'
import { HistoryWorkers } from '../dist/src/history/workers.js'
import { compactDocument } from '../dist/src/room/compaction.js'

export const limits = withLimits({})
const startMs = Date.UTC(2026, 0, 5, 9)

/** The same numbers each time. */
export function randomOf(state) {
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Updates of one change each, with their times. */
function recorder() {
  const doc = new Y.Doc()
  const updates = []
  let timeMs = startMs
  doc.on('update', update => updates.push({ update, timeMs }))
  return { doc, updates, wait: ms => (timeMs += ms) }
}

/** Somebody writes, goes back, and corrects. */
export function prose(letters) {
  const random = randomOf(7)
  const { doc, updates, wait } = recorder()
  const text = doc.getText('t')
  let at = 0
  for (let typed = 0; typed < letters; typed++) {
    wait(80 + random() * 240)
    const chance = random()
    if (chance < 0.01) at = Math.floor(random() * (text.length + 1))
    if (chance > 0.93 && at > 0) text.delete(--at, 1)
    else text.insert(at++, 'etaoin shrdlu cmfwyp'[Math.floor(random() * 20)])
    if (typed % 3_000 === 2_999) {
      wait(3_600_000)
      doc.clientID = Math.floor(random() * 2 ** 32)
    }
  }
  return updates
}

/** Two hundred shapes are dragged about. */
export function board(changes) {
  const random = randomOf(11)
  const { doc, updates, wait } = recorder()
  const map = doc.getMap('shapes')
  const word = length =>
    Array.from({ length }, () => 'abcdefghijklmnopqrstuvwxyz'[Math.floor(random() * 26)]).join('')
  const shapes = Array.from({ length: 200 }, () => ({
    ...{
      id: `shape:${word(21)}`,
      x: Math.floor(random() * 4_000),
      y: Math.floor(random() * 3_000),
      rotation: 0
    },
    ...{ isLocked: false, opacity: 1, meta: {}, type: 'geo', parentId: 'page:page', index: `a${word(3)}` },
    typeName: 'shape',
    props: {
      ...{ w: 100 + Math.floor(random() * 300), h: 100 + Math.floor(random() * 300), geo: 'rectangle' },
      ...{
        color: 'black',
        labelColor: 'black',
        fill: 'none',
        dash: 'draw',
        size: 'm',
        font: 'draw',
        text: ''
      },
      ...{ align: 'middle', verticalAlign: 'middle', growY: 0, url: '', scale: 1 }
    }
  }))
  for (let made = 0; made < changes; ) {
    const shape = shapes[Math.floor(random() * shapes.length)]
    const [right, down] = [random() * 20 - 10, random() * 20 - 10]
    wait(500 + random() * 5_000)
    for (let step = 20 + random() * 60; step > 0 && made < changes; step--, made++) {
      wait(33)
      shape.x += right
      shape.y += down
      map.set(shape.id, { ...shape, props: { ...shape.props } })
    }
  }
  return updates
}

export function trace(path) {
  const { startContent, txns } = JSON.parse(gunzipSync(readFileSync(path)).toString())
  const { doc, updates, wait } = recorder()
  const text = doc.getText('t')
  if (startContent) text.insert(0, startContent)
  // In the order of the file, where several people wrote at once: the text is another one, and as large.
  for (const { patches } of txns) {
    wait(200)
    doc.transact(() => {
      for (const [at, deleted, inserted] of patches) {
        const from = Math.min(at, text.length)
        if (deleted > 0) text.delete(from, Math.min(deleted, text.length - from))
        if (inserted !== '') text.insert(from, inserted)
      }
    })
  }
  return updates
}

export function partsOf(store, isOn) {
  const slices = new Slices(systemTime, limits)
  const quiet = { debug() {}, info() {}, warn: console.warn, error: console.error }
  const threads = new HistoryWorkers(limits)
  const shared = {
    time: systemTime,
    slices,
    limits,
    metrics: createMetrics(),
    log: quiet,
    random: Math.random
  }
  const policyOf = () => ({ days: 36_500, bytes: 2 ** 40, gc: 'collect' })
  const histories = new Histories({ ...shared, policyOf, store: store.history, work: sealingWork(threads) })
  const workers = createWorkers(workersOptions(limits))
  const parts = { store, workers, slices, lane: 'long', isShared: false, histories: isOn ? histories : null }
  const close = () => Promise.all([threads.close(), workers.close()])
  return { parts, histories, close }
}

export async function append(store, document, updates) {
  for (let at = 0; at < updates.length; at += 500) {
    const entries = updates.slice(at, at + 500).map(({ update, timeMs }) => {
      const author = { user: 'ann', connection: null, origin: 'client' }
      return { document, record: encodeRecord([{ update, author, timeMs }]) }
    })
    await store.append(entries)
  }
}

export async function compactAndSeal(document, { parts, histories }) {
  const compacted = await compactDocument(document, parts)
  if (compacted?.toSeal != null) await histories.seal(document, compacted.toSeal)
}

export const median = numbers =>
  [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)]

/** So many records between two compactions. */
export const recordsOfCompaction = 5_500

/** A document with these updates, compacted and sealed as they came. */
export async function sealedLog(store, name, updates) {
  const on = partsOf(store, true)
  for (let at = 0; at < updates.length; at += recordsOfCompaction) {
    await append(store, name, updates.slice(at, at + recordsOfCompaction))
    await compactAndSeal(name, on)
  }
  const { manifest } = await on.histories.kept.read(name)
  return { on, manifest }
}
