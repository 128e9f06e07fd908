/**
 * A document in a worker, from what the store has of it, and who has changed what of it since a record. Nothing is
 * collected: what was deleted since is still to be read.
 */
import * as Y from 'yjs'
import { ClockRuns } from '../document/clocks.ts'
import { unpackUpdates } from '../document/packed-updates.ts'
import { decodeRecord, type LoggedUpdate } from '../document/record.ts'
import { scanUpdate } from '../document/scan.ts'
import type { ChangedBy, StateMessage } from './jobs.ts'

/** What others have brought and deleted since. */
type Since = ChangedBy & { readonly structs: ClockRuns; readonly deletes: ClockRuns }

export class State {
  readonly doc = new Y.Doc({ gc: false })
  /** It was said since when, and what came since cannot be told. */
  readonly isLost: boolean
  readonly #since: Since[] = []
  readonly #structs = new ClockRuns()
  readonly #deletes = new ClockRuns()

  /** What cannot be read is left out, as it is for clients. Throws what Yjs throws. */
  constructor({ segments, records, sequences, since, isLost, connection }: StateMessage) {
    this.isLost = isLost
    for (const segment of unpackUpdates(segments)) Y.applyUpdate(this.doc, segment)
    const updates: Uint8Array[] = []
    for (const [i, record] of unpackUpdates(records).entries()) {
      const isNew = since !== null && (sequences[i] ?? 0) > since
      for (const logged of readable(record)) {
        updates.push(logged.update)
        const isOwn = connection !== null && logged.author?.connection === connection
        if (isNew && !isOwn) this.#addSince(logged)
      }
    }
    this.doc.transact(() => {
      for (const update of updates) Y.applyUpdate(this.doc, update)
    })
  }

  get hasSince(): boolean {
    return this.#since.length > 0
  }

  /** Others have brought this clock since. */
  isNew(client: number, clock: number): boolean {
    return this.#structs.covers(client, clock, 1)
  }

  /** Others have deleted it since. */
  isGone(client: number, clock: number): boolean {
    return this.#deletes.covers(client, clock, 1)
  }

  /** Who brought or deleted any of these ids since, each once, with the last time. */
  by(ids: Iterable<Y.ID>): ChangedBy[] {
    const found = new Map<string, ChangedBy>()
    for (const { client, clock } of ids) {
      for (const { author, timeMs, structs, deletes } of this.#since) {
        if (!structs.covers(client, clock, 1) && !deletes.covers(client, clock, 1)) continue
        found.set(JSON.stringify([author?.user, author?.connection, author?.origin]), { author, timeMs })
      }
    }
    return [...found.values()]
  }

  #addSince({ update, author, timeMs }: LoggedUpdate): void {
    const scan = scanUpdate(update)
    const [structs, deletes] = [ClockRuns.from(scan.structs), ClockRuns.from(scan.deletes)]
    this.#since.push({ author, timeMs, structs, deletes })
    for (const { client, clock, length } of scan.structs) this.#structs.add(client, clock, length)
    for (const { client, clock, length } of scan.deletes) this.#deletes.add(client, clock, length)
  }
}

function readable(record: Uint8Array): LoggedUpdate[] {
  return attempt(() => decodeRecord(record), []).filter(({ update }) =>
    attempt(() => {
      scanUpdate(update)
      return true
    }, false)
  )
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
