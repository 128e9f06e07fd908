/**
 * Races of an agent and a person about one passage, and what the log says of them: the agent's record must follow a state
 * in which the passage is as the agent saw it.
 */
import { expect } from 'vitest'
import * as Y from 'yjs'
import type { Store } from '../../persistence/index.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import type { Running } from '../../src/running.ts'

const person = { user: 'bob', connection: 'c1', origin: 'client' } as const
const agent = { user: 'bot', connection: 'agent-1', origin: 'agent' } as const

export type Races = {
  readonly written: number
  readonly refused: number
  /** The agent wrote although the person had changed the passage since it was seen. */
  readonly stale: number
}

type Place = { readonly store: Store; readonly agents: Running; readonly people: Running }

/** So many rounds on one document. */
export async function race(
  { store, agents, people }: Place,
  {
    document,
    rounds,
    random
  }: { readonly document: string; readonly rounds: number; readonly random: () => number }
): Promise<Races> {
  const doc = new Y.Doc()
  const apply = async (change: (text: Y.Text) => void) => {
    const updates: Uint8Array[] = []
    const gather = (update: Uint8Array) => updates.push(update)
    doc.on('update', gather)
    doc.transact(() => change(doc.getText('t')))
    doc.off('update', gather)
    const room = await people.rooms.open(document)
    for (const update of updates) await room.apply({ update, scan: scanUpdate(update) }, person)
  }
  await apply(text => text.insert(0, 'before [passage 0] after'))
  const quotes = new Map<number, string>()
  let written = 0
  let refused = 0
  for (let round = 1; round <= rounds; round++) {
    const read = await agents.edits.read(document, { form: 'text', type: 't', anchor: null })
    const text = (JSON.parse(Buffer.from(read?.json ?? []).toString()) as { text: string }).text
    const quote = /\[.*\]/.exec(text)?.[0] ?? ''
    quotes.set(round, quote)
    const change = { op: 'replace', quote, text: `[passage ${round} by agent]` } as const
    const editing = agents.edits.edit({
      ...{ document, author: agent, key: null, wordsPerSecond: null },
      question: { kind: 'text', type: 't', changes: [change] },
      version: random() < 0.7 ? (read?.version ?? null) : null
    })
    // The person changes the inside of the passage at some moment of it.
    const delayMs = random() < 0.5 ? random() * 5 : random() * 60
    await new Promise(resolve => setTimeout(resolve, delayMs))
    const fresh = await people.documents.read(document)
    Y.applyUpdate(doc, fresh ?? new Uint8Array())
    await apply(own => {
      const at = own.toString().indexOf('[')
      own.insert(at + 1, `${round}!`)
    })
    const { outcome } = await editing
    if (outcome === 'edited') written++
    else refused++
    Y.applyUpdate(doc, (await people.documents.read(document)) ?? new Uint8Array())
  }
  return { written, refused, stale: await staleIn(store, document, quotes) }
}

/** Edits of the agent that did anything but replace, in the state that they met, what the agent had quoted. */
async function staleIn(store: Store, document: string, quotes: ReadonlyMap<number, string>): Promise<number> {
  const { records, checkpoint } = await store.load(document)
  expect(checkpoint, 'the log is whole').toBeNull()
  const doc = new Y.Doc()
  let stale = 0
  for (const { record } of records) {
    for (const { update, author } of decodeRecord(record)) {
      const before = doc.getText('t').toString()
      Y.applyUpdate(doc, update)
      if (author?.origin !== 'agent') continue
      const after = doc.getText('t').toString()
      const [made = '', round = ''] = /\[passage (\d+) by agent\]/.exec(after) ?? []
      const quote = quotes.get(Number(round)) ?? 'no such round'
      if (!before.includes(quote) || before.replace(quote, made) !== after) stale++
    }
  }
  return stale
}
