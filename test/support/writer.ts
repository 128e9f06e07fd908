/**
 * Somebody who types numbered words, with a real client of either dialect, and keeps the ledger: how many words were
 * acknowledged, and how many of everybody were seen. Words are in the order in which their author typed them, or something
 * is wrong.
 */
import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { barrier, type ClientVersion, clientVersions, connect } from './clients.ts'
import { type ProviderVersion, provide, providerVersions } from './hocuspocus.ts'

/** How many words of each author. */
export type Counts = ReadonlyMap<string, number>

export type Writer = {
  readonly name: string
  readonly doc: Y.Doc
  /** What it sees of people. Its own state is `{ name, words }`, after a call of `present`. */
  readonly awareness: Awareness
  /** Words so far. */
  typed(): number
  /** So many of them are in the store, says the server. */
  acknowledged(): number
  seen(): Counts
  /** Words that came twice, or before earlier ones of their author. */
  wrong(): readonly string[]
  isSynced(): boolean
  type(): void
  /** Says who it is, and how many words it has typed. */
  present(): void
  /** Asks how much is acknowledged, where it has to be asked. Never rejects; resolves without an answer at once if it is not online. */
  ask(): Promise<void>
  /** For good; again does nothing. */
  leave(): void
}

type Place = { readonly url: string; readonly room: string; readonly name: string }

/** The one with this number: dialects take turns, and so do the versions of each. */
export function openWriter(place: Place, number: number): Writer {
  const at = <T>(all: readonly T[]) => all[(number >> 1) % all.length] as T
  return number % 2 === 0
    ? yWebsocketWriter(place, at(clientVersions))
    : hocuspocusWriter(place, at(providerVersions))
}

function yWebsocketWriter({ url, room, name }: Place, version: ClientVersion): Writer {
  const client = connect(url, room, { version })
  const ledger = keepLedger(client.doc, name)
  const { awareness } = client.provider
  let acknowledged = 0
  let asking: Promise<void> | null = null
  const ask = async () => {
    // Synced: what was typed while it was offline has been sent before the question.
    if (!client.provider.synced) return
    const sent = ledger.typed()
    const isAnswered = await barrier(client).then(
      () => true,
      () => false
    )
    if (isAnswered) acknowledged = sent
  }
  return {
    ...ledger,
    doc: client.doc,
    awareness,
    present: () => awareness.setLocalState({ name, words: ledger.typed() }),
    acknowledged: () => acknowledged,
    isSynced: () => client.provider.synced,
    ask: () => {
      // One question at a time: its answer would be taken for that of the next one.
      asking ??= ask().finally(() => {
        asking = null
      })
      return asking
    },
    leave: once(client.destroy)
  }
}

function hocuspocusWriter({ url, room, name }: Place, version: ProviderVersion): Writer {
  const client = provide(url, room, { version, token: 'any' })
  const ledger = keepLedger(client.doc, name)
  const { awareness } = client.provider
  if (awareness === null) throw new Error('a provider without awareness')
  let acknowledged = 0
  const look = () => {
    if (client.provider.isSynced && !client.provider.hasUnsyncedChanges) acknowledged = ledger.typed()
  }
  return {
    ...ledger,
    doc: client.doc,
    awareness,
    present: () => awareness.setLocalState({ name, words: ledger.typed() }),
    acknowledged: () => {
      look()
      return acknowledged
    },
    isSynced: () => client.provider.isSynced,
    type: () => {
      look()
      ledger.type()
    },
    ask: async () => look(),
    leave: once(() => {
      look()
      client.destroy()
      client.doc.destroy()
    })
  }
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) work()
    isDone = true
  }
}

function keepLedger(doc: Y.Doc, name: string) {
  const words = doc.getArray<string>('words')
  const seen = new Map<string, number>()
  const wrong: string[] = []
  let typed = 0
  words.observe(event => {
    for (const { insert } of event.changes.delta) noteWords(insert as string[] | undefined, seen, wrong)
  })
  return {
    name,
    typed: () => typed,
    seen: () => seen,
    wrong: () => wrong,
    type: () => void words.push([`${name}:${typed++}`])
  }
}

/** The words of a document as it is, noted in the same way. */
export function readWords(doc: Y.Doc): { readonly counts: Counts; readonly wrong: readonly string[] } {
  const counts = new Map<string, number>()
  const wrong: string[] = []
  noteWords(doc.getArray<string>('words').toArray(), counts, wrong)
  return { counts, wrong }
}

function noteWords(words: readonly string[] = [], counts: Map<string, number>, wrong: string[]): void {
  for (const word of words) {
    const [author = '', number] = word.split(':')
    const expected = counts.get(author) ?? 0
    if (Number(number) === expected) counts.set(author, expected + 1)
    else wrong.push(`${word} where ${author}:${expected} was to come`)
  }
}
