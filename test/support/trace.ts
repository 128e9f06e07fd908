/** Editing traces: read from a file of the github.com/josephg/editing-traces format, or generated. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'

export type Patch = readonly [position: number, deleted: number, inserted: string]

/** `parents`: indexes of the transactions that its author had seen last. A sequential trace has one agent. */
export type TraceTransaction = {
  readonly agent: number
  readonly parents: readonly number[]
  readonly patches: readonly Patch[]
}

export type Trace = {
  readonly name: string
  readonly agents: number
  readonly transactions: readonly TraceTransaction[]
  readonly endContent: string
}

type TraceFile = {
  readonly endContent: string
  readonly numAgents?: number
  readonly txns: readonly { agent?: number; parents?: number[]; patches: Patch[] }[]
}

export function readTrace(path: string): Trace {
  const file = JSON.parse(gunzipSync(readFileSync(path)).toString()) as TraceFile
  const transactions = file.txns.map(({ agent = 0, parents, patches }, index) => ({
    agent,
    parents: parents ?? (index === 0 ? [] : [index - 1]),
    patches
  }))
  return { name: path, agents: file.numAgents ?? 1, transactions, endContent: file.endContent }
}

/** Two agents who type and delete, mostly alone and now and then at the same time. Reproducible from the seed. */
export function generateTrace({ seed, count }: { seed: number; count: number }): Trace {
  const random = randomFrom(seed)
  const docs = [docOf(1), docOf(2)]
  const transactions: TraceTransaction[] = []
  let parents: number[] = []
  while (transactions.length < count) {
    const heads: number[] = []
    for (const [agent, doc] of docs.entries()) {
      let own = parents
      for (let burst = Math.floor(random() * 6); burst > 0; burst--) {
        const patches = [randomPatch(doc.getText('t'), random)]
        doc.transact(() => applyPatches(doc.getText('t'), patches))
        transactions.push({ agent, parents: own, patches })
        own = [transactions.length - 1]
      }
      heads.push(...own)
    }
    const [a, b] = docs as [Y.Doc, Y.Doc]
    Y.applyUpdate(a, Y.encodeStateAsUpdate(b))
    Y.applyUpdate(b, Y.encodeStateAsUpdate(a))
    parents = [...new Set(heads)]
  }
  const endContent = (docs[0] as Y.Doc).getText('t').toString()
  return { name: `generated ${seed}`, agents: 2, transactions, endContent }
}

function docOf(clientID: number): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = clientID
  return doc
}

export function applyPatches(text: Y.Text, patches: readonly Patch[]): void {
  for (const [position, deleted, inserted] of patches) {
    if (deleted > 0) text.delete(position, deleted)
    if (inserted.length > 0) text.insert(position, inserted)
  }
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function randomPatch(text: Y.Text, random: () => number): Patch {
  const position = Math.floor(random() * (text.length + 1))
  if (text.length > 20 && random() < 0.25) return [Math.min(position, text.length - 3), 3, '']
  return [
    position,
    0,
    String.fromCharCode(97 + Math.floor(random() * 26)).repeat(1 + Math.floor(random() * 4))
  ]
}
