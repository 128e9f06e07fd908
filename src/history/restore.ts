/**
 * Brings a document back to what it was, or takes back what somebody did, as one ordinary update on top of what it is: what
 * was inserted is deleted, what was deleted is inserted again. Whoever edits meanwhile, or comes back later, keeps what
 * they typed. Runs in a worker.
 *
 * Yjs inserts deleted content again as copies of new ids (UndoManager, redoItem). Who copied what is known only here, so it
 * is handed out and to be handed in again: otherwise a second restore would copy everything once more.
 */
import * as Y from 'yjs'
import { markOf } from '../document/client-mark.ts'
import { ClockRuns } from '../document/clocks.ts'
import type { ClockRange } from '../document/scan.ts'
import { mergeUpdates } from '../document/splice.ts'
import { heldBy } from './held.ts'

/** `length` clocks of `client` from `clock` on are copies of as many of `ofClient` from `ofClock` on. */
export type CopyRun = ClockRange & { readonly ofClient: number; readonly ofClock: number }

type Job = {
  /** The document as it is, an update (V1). */
  readonly now: Uint8Array
  /** Of all restores so far. Of a client that never came: counted as absent. */
  readonly copies: readonly CopyRun[]
  /**
   * The clientID of what is written. The document must not have it, nor have had it; afterwards it does, also when the
   * update only deletes: that it is there says that the restore was committed.
   */
  readonly client: number
  /** Only what is in the root types of these names is touched. Null: in all. */
  readonly roots: readonly string[] | null
}

/** `past`: the document as it was, an update (V1). */
export type RestoreJob = Job & { readonly past: Uint8Array }

/** `update` (V1): on top of `now`, null when there is nothing to do. `copies`: those that it brings. */
export type Restored = { readonly update: Uint8Array | null; readonly copies: readonly CopyRun[] }

/** `content`: what `taken` has deleted is to be in it, and not as deleted. */
export type UndoJob = Job & {
  readonly content: Uint8Array
  readonly inserted: ClockRuns
  readonly deleted: ClockRuns
}

/** Throws what Yjs throws. */
export function restore({ past, now, ...job }: RestoreJob): Restored {
  const doc = new Y.Doc({ gc: false })
  // First, so that its content is still there when the other deletes it.
  Y.applyUpdate(doc, past)
  const was = heldBy(doc)
  Y.applyUpdate(doc, now)
  const is = heldBy(doc)
  const inserted = is.structs.subtract(was.structs)
  const deleted = is.deletes.intersect(was.structs).subtract(was.deletes)
  const isWanted = (client: number, clock: number) =>
    was.structs.covers(client, clock, 1) && !was.deletes.covers(client, clock, 1)
  return takeBack(doc, { ...job, inserted, deleted, isWanted, overrides: true })
}

/** Takes back what was inserted and deleted, wherever others have gone on from there. Throws what Yjs throws. */
export function undo({ content, now, ...job }: UndoJob): Restored {
  const doc = new Y.Doc({ gc: false })
  Y.applyUpdate(doc, content)
  Y.applyUpdate(doc, now)
  const isWanted = (client: number, clock: number) => job.deleted.covers(client, clock, 1)
  return takeBack(doc, { ...job, isWanted, overrides: false })
}

type Taken = Omit<Job, 'now'> & {
  readonly inserted: ClockRuns
  readonly deleted: ClockRuns
  /** Whether what has this id is to be there in the end. */
  readonly isWanted: (client: number, clock: number) => boolean
  /** Whether an entry of a map comes back although others have replaced it since. */
  readonly overrides: boolean
}

function takeBack(doc: Y.Doc, taken: Taken): Restored {
  const { copies, client, isWanted, overrides } = taken
  if (Y.getState(doc.store, client) > 0) throw new Error(`the document has the client ${client} already`)
  const { inserted, deleted } = within(doc, taken)
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  const undoing = new Y.UndoManager(doc, { ignoreRemoteMapChanges: overrides, trackedOrigins: new Set([{}]) })
  doc.transact(transaction => {
    const standing = standingCopies(transaction, copies, isWanted)
    const insertions = deleteSetOf(inserted.subtract(standing))
    undoing.undoStack.push({ insertions, deletions: deleteSetOf(deleted), meta: new Map() } as never)
    doc.clientID = client
    undoing.undo()
  })
  undoing.destroy()
  if (updates.length > 0 && Y.getState(doc.store, client) === 0) updates.push(markOf({ client, clock: 0 }))
  const restored = {
    update: updates.length === 0 ? null : mergeUpdates(updates),
    copies: copiesOf(doc, client)
  }
  doc.destroy()
  return restored
}

/** What of it is in the chosen roots. */
function within(doc: Y.Doc, { inserted, deleted, roots }: Taken) {
  if (roots === null) return { inserted, deleted }
  const chosen = new Set<unknown>(roots.map(name => doc.share.get(name)))
  const held = new ClockRuns()
  for (const structs of doc.store.clients.values()) {
    for (const struct of structs) {
      if (!(struct instanceof Y.Item) || !chosen.has(rootOf(struct))) continue
      held.add(struct.id.client, struct.id.clock, struct.length)
    }
  }
  return { inserted: inserted.intersect(held), deleted: deleted.intersect(held) }
}

function rootOf(item: Y.Item): unknown {
  let type = item.parent
  while (type instanceof Y.AbstractType && type._item !== null) type = type._item.parent
  return type
}

/**
 * What is wanted and was copied by an earlier restore is there already, as long as the copy is: the original is told so, and
 * the copy is not taken for something that was inserted.
 */
function standingCopies(
  transaction: Y.Transaction,
  copies: readonly CopyRun[],
  isWanted: Taken['isWanted']
): ClockRuns {
  const standing = new ClockRuns()
  for (const run of copies) {
    for (const { client, clock, length, ofClient, ofClock } of piecesOf(transaction, run)) {
      const copy = structAt(transaction.doc, client, clock)
      const original = structAt(transaction.doc, ofClient, ofClock)
      if (!(copy instanceof Y.Item) || !(original instanceof Y.Item)) continue
      if (copy.deleted || !original.deleted || !isWanted(ofClient, ofClock)) continue
      original.redone = Y.createID(client, clock)
      standing.add(client, clock, length)
    }
  }
  return standing
}

/** The run in pieces of which both sides are one item each. */
function* piecesOf(transaction: Y.Transaction, run: CopyRun): Generator<CopyRun> {
  for (let done = 0; done < run.length; ) {
    const [clock, ofClock] = [run.clock + done, run.ofClock + done]
    const copyEnd = endOfItem(transaction, run.client, clock)
    const originalEnd = endOfItem(transaction, run.ofClient, ofClock)
    if (copyEnd === null || originalEnd === null) return
    const length = Math.min(copyEnd - clock, originalEnd - ofClock, run.length - done)
    cutAt(transaction, run.client, clock + length)
    cutAt(transaction, run.ofClient, ofClock + length)
    yield { ...run, clock, ofClock, length }
    done += length
  }
}

/** The end of the struct that begins at the clock, which it is made to; null: it is not there. */
function endOfItem(transaction: Y.Transaction, client: number, clock: number): number | null {
  if (clock >= Y.getState(transaction.doc.store, client)) return null
  cutAt(transaction, client, clock)
  const struct = structAt(transaction.doc, client, clock)
  return struct.id.clock + struct.length
}

/** Collected structs need no cut. */
function cutAt(transaction: Y.Transaction, client: number, clock: number): void {
  const { store } = transaction.doc
  if (clock >= Y.getState(store, client)) return
  const struct = structAt(transaction.doc, client, clock)
  if (struct instanceof Y.Item && struct.id.clock < clock)
    Y.getItemCleanStart(transaction, Y.createID(client, clock))
}

function structAt(doc: Y.Doc, client: number, clock: number): Y.Item | Y.GC {
  return Y.getItem(doc.store, Y.createID(client, clock))
}

function deleteSetOf(runs: ClockRuns) {
  const set = Y.createDeleteSet()
  for (const { client, clock, length } of runs.ranges()) {
    const ranges = set.clients.get(client) ?? []
    set.clients.set(client, ranges)
    ranges.push({ clock, len: length } as never)
  }
  return set
}

/** The copies that this restore has made, as runs. */
function copiesOf(doc: Y.Doc, clientID: number): readonly CopyRun[] {
  const runs: CopyRun[] = []
  for (const structs of doc.store.clients.values()) {
    for (const struct of structs) {
      if (!(struct instanceof Y.Item) || struct.redone?.client !== clientID) continue
      const { redone, length, id } = struct
      runs.push({ client: clientID, clock: redone.clock, length, ofClient: id.client, ofClock: id.clock })
    }
  }
  return joined(runs.sort((a, b) => a.clock - b.clock))
}

function joined(runs: readonly CopyRun[]): CopyRun[] {
  const all: CopyRun[] = []
  for (const run of runs) {
    const last = all.at(-1)
    const follows =
      last !== undefined &&
      last.clock + last.length === run.clock &&
      last.ofClient === run.ofClient &&
      last.ofClock + last.length === run.ofClock
    if (follows) all[all.length - 1] = { ...last, length: last.length + run.length }
    else all.push(run)
  }
  return all
}
