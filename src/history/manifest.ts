/**
 * What a document's history consists of: a list of what the store keeps for it as blobs, and what has to be known to go on
 * sealing. Small; written anew with each change, as JSON, so that a later version can add to it.
 */
import { Fault } from '../base/errors.ts'
import type { UpdatePlace } from './segment.ts'

/** A blob of the store and its size. */
export type BlobEntry = { readonly blob: number; readonly bytes: number }

/** A sealed part, as `Segment`. `body`: null once it was pruned. */
export type SegmentEntry = {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly firstMs: number
  readonly lastMs: number
  readonly changes: number
  /** Of the body before it was compressed, as of what was pruned. */
  readonly joinedBytes: number
  readonly timeline: BlobEntry
  readonly body: BlobEntry | null
}

/** The whole document (as `packUpdate` keeps it) after all segments up to `sequence`, and when that was. */
export type KeyframeEntry = BlobEntry & { readonly sequence: number; readonly timeMs: number }

/**
 * A moment with a name. `kind`: somebody gave it, or the server did, before a restore or an agent's edits. `author`: the id
 * of a user. `madeMs`: when the name was given.
 */
export type Version = {
  readonly id: string
  readonly name: string
  readonly kind: 'named' | 'before-restore' | 'before-agent'
  readonly sequence: number
  readonly timeMs: number
  readonly madeMs: number
  readonly author: string | null
}

/**
 * An attempt to commit a restore of which it is not known that it failed. `client`: the clientID of what it writes, which
 * no other attempt has: if the document has it, this is the one that was committed. `copies`: the number of its blob
 * among `Manifest.copies`; null: it copies nothing.
 */
export type RestoreTry = { readonly client: number; readonly copies: number | null }

/**
 * A restore or an undo, by the key that whoever asks for it gave. `asked`: what for. `tries`: none if it is over and
 * nothing had to be changed; the one that was committed if it is over; else those so far. `sequence`: of the record, or
 * of the last one when nothing had to be changed; null: begun. `version`: the id of the version named before it.
 */
export type RestoreEntry = {
  readonly key: string
  readonly asked: string
  readonly tries: readonly RestoreTry[]
  readonly sequence: number | null
  readonly version: string | null
  readonly timeMs: number
}

/** Records that were never sealed: what lies between is not known, and what came after begins with a keyframe. */
export type HoleEntry = {
  readonly afterSequence: number
  readonly toSequence: number
  readonly timeMs: number
  readonly reason: string
}

export type Manifest = {
  /** In order, apart. */
  readonly segments: readonly SegmentEntry[]
  /** In order. The first one may stand before all segments: what was there before the history began. */
  readonly keyframes: readonly KeyframeEntry[]
  /** Records up to this one are sealed, save what waits. */
  readonly sealedTo: number
  /** What the document held there (as `Known`); null: nothing. */
  readonly known: BlobEntry | null
  /** Updates up to `sealedTo` of which something is not sealed, as it hangs on what is not known. */
  readonly waiting: readonly UpdatePlace[]
  /** Updates that a compaction has refused, above `sealedTo` or waiting: no part of the document. */
  readonly refused: readonly UpdatePlace[]
  /** Copies that restores have made (`CopyRun`), a blob of each. */
  readonly copies: readonly BlobEntry[]
  readonly versions: readonly Version[]
  /** The newest ones. */
  readonly restores: readonly RestoreEntry[]
  readonly holes: readonly HoleEntry[]
  /** Of the live document when something was sealed last: what the history may take is measured by it. */
  readonly documentBytes: number
  /** Since when (since the epoch) no setting asks for this history; null: one does. It goes when that is too long ago. */
  readonly offSinceMs: number | null
  /** Nothing before this time or sequence number is answered: it was pruned, or the history began here. */
  readonly beginsAt: { readonly sequence: number; readonly timeMs: number }
}

/** Of a history that begins there, with nothing in it. */
export function emptyManifest(beginsAt: Manifest['beginsAt']): Manifest {
  return {
    ...{ segments: [], keyframes: [], sealedTo: beginsAt.sequence, known: null, waiting: [], refused: [] },
    ...{ copies: [], versions: [], restores: [], holes: [], documentBytes: 0, offSinceMs: null, beginsAt }
  }
}

const version = 1

export function encodeManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(JSON.stringify({ version, ...manifest }))
}

/** Throws ERR_DOCUMENT_DAMAGED for what is none, or of a later version. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const stored = parsed(bytes)
  if (stored.version !== version) {
    throw new Fault('ERR_DOCUMENT_DAMAGED', `a history of version ${String(stored.version)}`)
  }
  // Written by `encodeManifest`, and the store vouches for the bytes.
  const { version: _, ...manifest } = stored as Manifest & { version: number }
  return manifest
}

function parsed(bytes: Uint8Array): { readonly version?: unknown } {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString())
    if (typeof value === 'object' && value !== null) return value
  } catch (cause) {
    throw new Fault('ERR_DOCUMENT_DAMAGED', 'the manifest of a history is no JSON', { cause })
  }
  throw new Fault('ERR_DOCUMENT_DAMAGED', 'the manifest of a history is no object')
}
