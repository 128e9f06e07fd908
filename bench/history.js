/**
 * What a history costs. Typing and compactions with one and without, in alternation, as CPU time of the whole process (its
 * worker threads included); and the bytes of a history beside its document: generated prose, a board that is redrawn, and
 * editing traces (https://github.com/josephg/editing-traces) that are named.
 *
 *   node bench/history.js [--rounds 10] [--only sizes|costs] [trace.json.gz …]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as Y from 'yjs'
import { openStore } from '../dist/persistence/index.js'
import { bytesOf } from '../dist/src/history/kept.js'
import {
  append,
  board,
  compactAndSeal,
  median,
  partsOf,
  prose,
  recordsOfCompaction,
  sealedLog,
  trace
} from './history-parts.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '10' }, only: { type: 'string' } }
})
const rounds = Number(values.rounds)

/** CPU time of everything in this process meanwhile, in milliseconds. */
async function cpuOf(work) {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** A log of a compaction's length on a document of some size, compacted with a history and without. */
async function costs(store) {
  const updates = prose(4 * recordsOfCompaction)
  const kinds = [false, true].map(isOn => ({ ...partsOf(store, isOn), isOn, append: [], compact: [] }))
  for (let round = 0; round <= rounds; round++) {
    for (const kind of round % 2 === 0 ? kinds : [...kinds].reverse()) {
      const document = `${kind.isOn} ${round}`
      const before = updates.length - recordsOfCompaction
      await append(store, document, updates.slice(0, before))
      await compactAndSeal(document, kind)
      const appended = await cpuOf(() => append(store, document, updates.slice(before)))
      const compacted = await cpuOf(() => compactAndSeal(document, kind))
      // The first round warms the threads.
      if (round > 0) kind.append.push(appended)
      if (round > 0) kind.compact.push(compacted)
    }
  }
  await Promise.all(kinds.map(({ close }) => close()))
  const [off, on] = kinds
  const line = name =>
    `${median(off[name]).toFixed(1)} ms without, ${median(on[name]).toFixed(1)} ms with a history`
  console.log(`${recordsOfCompaction} records appended: ${line('append')} (CPU, median of ${rounds})`)
  console.log(
    `a compaction of them, sealed: ${line('compact')}: × ${(median(on.compact) / median(off.compact)).toFixed(2)}`
  )
}

async function sizes(store, name, updates) {
  const { on, manifest } = await sealedLog(store, name, updates)
  await on.close()
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const { update } of updates) Y.applyUpdate(doc, update)
  })
  const live = Y.encodeStateAsUpdate(doc).length
  const { segments, keyframes, holes } = manifest
  const counts = `${segments.length} segments, ${keyframes.length} keyframes, ${holes.length} holes`
  const bytes = bytesOf(manifest)
  console.log(
    `${name}: ${updates.length} updates, ${live} bytes, its history ${bytes}: × ${(bytes / live).toFixed(2)}, ${counts}`
  )
}

const directory = mkdtempSync(join(tmpdir(), 'chorus-bench-'))
const store = await openStore(directory)
try {
  if (values.only !== 'costs') {
    await sizes(store, 'prose', prose(120_000))
    await sizes(store, 'board', board(20_000))
    for (const path of positionals) await sizes(store, path.split('/').at(-1), trace(path))
  }
  if (values.only !== 'sizes') await costs(store)
} finally {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
}
