/**
 * A document as segments and tail, and what is known of it: enough to tell what an update brings, what it lacks and
 * what a joiner needs, without a Y.Doc. It has two positions: *durable*, for which everything here speaks, and
 * *scanned*, which only judges the next update.
 */
import { type Checkpoint, createCheckpoint, decodeCheckpointMeta } from './checkpoint.ts'
import { ClockRuns, encodeStateVector } from './clocks.ts'
import { decodeRecord, type LoggedUpdate } from './record.ts'
import { type ClockRange, scanUpdate, type UpdateScan } from './scan.ts'
import { type ScannedUpdate, Tail } from './tail.ts'

/**
 * `known`: it brings no struct and no deletion that is not here already. Otherwise `gap` names the first thing that
 * it hangs on and that is unknown, or is null.
 */
export type Judgement = { readonly type: 'known' } | { readonly type: 'new'; readonly gap: string | null }

export class Document {
  readonly name: string
  readonly tail = new Tail()
  #checkpoint: Checkpoint | null = null
  #structs = new ClockRuns()
  #deletes = new ClockRuns()
  /** Scanned and not durable yet, in order. */
  #held: ScannedUpdate[] = []
  #heldStructs = new ClockRuns()
  #heldDeletes = new ClockRuns()
  #heldBytes = 0
  #stateVector: Uint8Array | null = null

  constructor(name: string) {
    this.name = name
  }

  get checkpoint(): Checkpoint | null {
    return this.#checkpoint
  }

  /** Encoded size, scanned updates included; an upper bound, as merging makes it smaller. */
  get bytes(): number {
    return (this.#checkpoint?.bytes ?? 0) + this.tail.bytes + this.#heldBytes
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** The durable deletions. To be read only. */
  get deletes(): ClockRuns {
    return this.#deletes
  }

  /** The durable state vector, encoded; shared, not to be written into. */
  stateVector(): Uint8Array {
    this.#stateVector ??= encodeStateVector(this.#structs)
    return this.#stateVector
  }

  /** Judges an update against everything scanned so far. */
  judge(scan: UpdateScan): Judgement {
    const isKnown =
      scan.structs.every(range => this.#knowsStructs(range)) &&
      scan.deletes.every(range => isCovered(range, this.#deletes, this.#heldDeletes))
    return isKnown ? { type: 'known' } : { type: 'new', gap: this.#findGap(scan) }
  }

  /** Takes an update that was judged new into the scanned position. The array is kept. */
  hold(scanned: ScannedUpdate): void {
    this.#held.push(scanned)
    this.#heldBytes += scanned.update.length
    this.#heldStructs.addAll(scanned.scan.structs)
    this.#heldDeletes.addAll(scanned.scan.deletes)
  }

  /** The first `count` held updates have become durable with the record of this sequence number. */
  settle(count: number, sequence: number): void {
    const settled = this.#held.splice(0, count)
    for (const scanned of settled) this.#append(scanned, sequence)
    this.#heldStructs = new ClockRuns()
    this.#heldDeletes = new ClockRuns()
    this.#heldBytes = 0
    for (const { update, scan } of this.#held) {
      this.#heldBytes += update.length
      this.#heldStructs.addAll(scan.structs)
      this.#heldDeletes.addAll(scan.deletes)
    }
  }

  /** Replaces the checkpoint it was opened with or compacted to; what it knows only grows. */
  restore(checkpoint: Checkpoint, structs: ClockRuns, deletes: ClockRuns): void {
    this.#checkpoint = checkpoint
    this.#structs.addRuns(structs)
    this.#deletes.addRuns(deletes)
    this.#stateVector = null
  }

  /** Adds an update that is durable already. */
  #append(scanned: ScannedUpdate, sequence: number): void {
    this.#structs.addAll(scanned.scan.structs)
    this.#deletes.addAll(scanned.scan.deletes)
    if (scanned.scan.structs.length > 0) this.#stateVector = null
    this.tail.append(scanned, sequence)
  }

  /** For opening: as `hold` and `settle` at once. */
  appendDurable(scanned: ScannedUpdate, sequence: number): void {
    this.#append(scanned, sequence)
  }

  #knowsStructs(range: ClockRange): boolean {
    return isCovered(range, this.#structs, this.#heldStructs)
  }

  #findGap({ structs, dependencies, deletes }: UpdateScan): string | null {
    for (const { client, clock } of structs) {
      if (clock > 0 && !this.#knowsStructs({ client, clock: clock - 1, length: 1 }))
        return `${client}:${clock - 1}`
    }
    for (const { client, clock } of dependencies) {
      if (!this.#knowsStructs({ client, clock, length: 1 })) return `${client}:${clock}`
    }
    let own: ClockRuns | undefined
    for (const range of deletes) {
      if (this.#knowsStructs(range)) continue
      own ??= ClockRuns.from(structs)
      if (!own.covers(range.client, range.clock, range.length)) return `${range.client}:${range.clock}`
    }
    return null
  }
}

/** What a store has of a document. The arrays are kept. */
export type StoredDocument = {
  readonly checkpoint: {
    readonly generation: number
    readonly meta: Uint8Array
    readonly segments: readonly Uint8Array[]
  } | null
  readonly records: readonly { readonly sequence: number; readonly record: Uint8Array }[]
}

/** A record, or an update in it, that lies in the store but cannot be read. */
export type Unreadable = { readonly sequence: number; readonly bytes: Uint8Array; readonly cause: unknown }

/** Bytes scanned before the event loop gets its turn. */
const sliceBytes = 256 * 1024

/**
 * A document from what the store has of it. `breathe` is awaited between slices of work. Updates that cannot be read
 * are left out and reported. Throws ERR_BAD_MESSAGE when the checkpoint's metadata cannot be read.
 */
export async function openDocument(
  name: string,
  loaded: StoredDocument,
  breathe: () => Promise<void>
): Promise<{ document: Document; unreadable: Unreadable[] }> {
  const document = new Document(name)
  const unreadable: Unreadable[] = []
  if (loaded.checkpoint !== null) {
    const meta = decodeCheckpointMeta(loaded.checkpoint.meta)
    const checkpoint = createCheckpoint(loaded.checkpoint.generation, meta, loaded.checkpoint.segments)
    document.restore(checkpoint, meta.structs, meta.deletes)
  }
  let bytes = 0
  for (const { sequence, record } of loaded.records) {
    appendRecord(document, sequence, record, unreadable)
    bytes += record.length
    if (bytes < sliceBytes) continue
    bytes = 0
    await breathe()
  }
  return { document, unreadable }
}

function appendRecord(
  document: Document,
  sequence: number,
  record: Uint8Array,
  unreadable: Unreadable[]
): void {
  let updates: LoggedUpdate[] = []
  try {
    updates = decodeRecord(record)
  } catch (cause) {
    unreadable.push({ sequence, bytes: record, cause })
  }
  for (const { update } of updates) {
    try {
      document.appendDurable({ update, scan: scanUpdate(update) }, sequence)
    } catch (cause) {
      unreadable.push({ sequence, bytes: update, cause })
    }
  }
}

function isCovered({ client, clock, length }: ClockRange, durable: ClockRuns, held: ClockRuns): boolean {
  if (durable.covers(client, clock, length)) return true
  if (held.clientCount === 0) return false
  return held.coversAll(durable.missing(client, clock, length))
}
