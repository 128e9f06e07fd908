/**
 * A checkpoint: the document's merged state as updates in the order a joiner is sent them. Its metadata says what
 * they add up to, so that nothing of them has to be read to open a room.
 */
import { Fault } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import { ByteWriter } from './byte-writer.ts'
import type { ClockRuns } from './clocks.ts'
import { encodeRuns, readRuns } from './run-bytes.ts'
import { finish, type Steps } from './steps.ts'

/**
 * `whole`: one update. `held-back`: several, of which a client shows nothing before it has the last (I13).
 * `causal`: several, each complete with the ones before it; a client may show each and resume after any.
 */
export type CheckpointLayout = 'whole' | 'held-back' | 'causal'

/** For each client with structs in a segment, the clock after its last one. */
export type SegmentEnds = ReadonlyMap<number, number>

export type CheckpointMeta = {
  readonly layout: CheckpointLayout
  readonly structs: ClockRuns
  readonly deletes: ClockRuns
  /** Bytes of all segments. */
  readonly bytes: number
  /** One for each segment if the layout is `causal`, else empty. */
  readonly segmentEnds: readonly SegmentEnds[]
}

/** A checkpoint as an open document holds it; what it deletes is part of what the document knows. */
export type Checkpoint = {
  readonly generation: number
  readonly layout: CheckpointLayout
  readonly vector: ReadonlyMap<number, number>
  readonly bytes: number
  readonly segmentEnds: readonly SegmentEnds[]
  /** `null` while only the store has them. Shared with joiners: nobody writes into them. */
  segments: readonly Uint8Array[] | null
  /** Diffs made from it, by encoded state vector. */
  readonly diffs: Map<string, readonly Uint8Array[]>
}

export function createCheckpoint(
  generation: number,
  meta: CheckpointMeta,
  segments: readonly Uint8Array[] | null
): Checkpoint {
  const { layout, bytes, segmentEnds } = meta
  return {
    generation,
    layout,
    bytes,
    segmentEnds,
    segments,
    vector: meta.structs.stateVector(),
    diffs: new Map()
  }
}

/**
 * What compactions of this life have refused, where several nodes have the document open: how many of them did, and which
 * connections had sent what was refused lately, each with the number of its compaction among those. A room that was opened
 * before such a checkpoint has in memory what is not in the document.
 */
export type Quarantine = {
  readonly count: number
  readonly refused: readonly { readonly quarantine: number; readonly connection: string }[]
}

const noQuarantine: Quarantine = { count: 0, refused: [] }

/** Of those refused earlier: whoever reads of them has usually been told long ago. */
const refusedKeptMax = 64

/** One more compaction has refused something, which these connections had sent. */
export function quarantineAfter({ count, refused }: Quarantine, connections: readonly string[]): Quarantine {
  const quarantine = count + 1
  const now = [...new Set(connections)].map(connection => ({ quarantine, connection }))
  return { count: quarantine, refused: [...now, ...refused].slice(0, refusedKeptMax) }
}

const metaVersion = 1
const markedVersion = 2
const layouts: readonly CheckpointLayout[] = ['whole', 'held-back', 'causal']

/**
 * `meta := 01, layout, varUint bytes, runs structs, runs deletes, varUint n, n × (varUint m, m × (client, clock))`, or the
 * same behind what was refused: `02, varUint count, varUint n, n × (varUint quarantine, varString connection), meta`.
 */
export function encodeCheckpointMeta(meta: CheckpointMeta): Uint8Array {
  const structs = encodeRuns(meta.structs)
  const deletes = encodeRuns(meta.deletes)
  const writer = new ByteWriter(64 + structs.length + deletes.length)
  writer.writeByte(metaVersion)
  writer.writeByte(layouts.indexOf(meta.layout))
  writer.writeVarUint(meta.bytes)
  for (const runs of [structs, deletes]) {
    writer.writeVarUint(runs.length)
    writer.writeRange(runs, 0, runs.length)
  }
  writer.writeVarUint(meta.segmentEnds.length)
  for (const ends of meta.segmentEnds) {
    writer.writeVarUint(ends.size)
    for (const [client, clock] of ends) {
      writer.writeVarUint(client)
      writer.writeVarUint(clock)
    }
  }
  return writer.toUint8Array()
}

/** The metadata, marked with what was refused. Where nothing was, it is as it was: earlier versions read it. */
export function markCheckpointMeta(meta: Uint8Array, { count, refused }: Quarantine): Uint8Array {
  if (count === 0) return meta
  const writer = new ByteWriter(meta.length + 16 + 32 * refused.length)
  writer.writeByte(markedVersion)
  writer.writeVarUint(count)
  writer.writeVarUint(refused.length)
  for (const { quarantine, connection } of refused) {
    writer.writeVarUint(quarantine)
    writer.writeString(connection)
  }
  writer.writeRange(meta, 0, meta.length)
  return writer.toUint8Array()
}

/** Throws ERR_BAD_MESSAGE when the bytes begin as no checkpoint metadata does. Cheap: the rest is not read. */
export function quarantineOf(meta: Uint8Array): Quarantine {
  return readQuarantine(new Reader(meta))
}

/** Leaves the reader behind the version. */
function readQuarantine(reader: Reader): Quarantine {
  const version = reader.varUint()
  if (version === metaVersion) return noQuarantine
  if (version !== markedVersion)
    throw new Fault('ERR_BAD_MESSAGE', `checkpoint metadata of version ${version}`)
  const count = reader.varUint()
  const refused: { quarantine: number; connection: string }[] = []
  for (let left = reader.varUint(); left > 0; left--) {
    refused.push({ quarantine: reader.varUint(), connection: reader.string() })
  }
  if (reader.varUint() !== metaVersion) throw new Fault('ERR_BAD_MESSAGE', 'checkpoint metadata marked twice')
  return { count, refused }
}

/** Throws ERR_BAD_MESSAGE when the bytes are no checkpoint metadata. */
export function decodeCheckpointMeta(bytes: Uint8Array): CheckpointMeta {
  return finish(readCheckpointMeta(bytes))
}

/** The same in steps. */
export function* readCheckpointMeta(bytes: Uint8Array): Steps<CheckpointMeta> {
  const reader = new Reader(bytes)
  readQuarantine(reader)
  const layout = layouts[reader.varUint()]
  if (layout === undefined) throw new Fault('ERR_BAD_MESSAGE', 'checkpoint of an unknown layout')
  const size = reader.varUint()
  const structs = yield* readRuns(reader.byteArray())
  const deletes = yield* readRuns(reader.byteArray())
  const segmentEnds = readSegmentEnds(reader)
  reader.end()
  return { layout, bytes: size, structs, deletes, segmentEnds }
}

function readSegmentEnds(reader: Reader): SegmentEnds[] {
  const segments: SegmentEnds[] = []
  for (let left = reader.varUint(); left > 0; left--) {
    const ends = new Map<number, number>()
    for (let clients = reader.varUint(); clients > 0; clients--) {
      const client = reader.varUint()
      ends.set(client, reader.varUint())
    }
    segments.push(ends)
  }
  return segments
}
