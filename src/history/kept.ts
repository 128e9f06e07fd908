/**
 * A document's history as the store keeps it: its manifest, and the blobs that this names. Whatever changes it goes through
 * here, by compare-and-set; what a new manifest does not name any more goes in the same step.
 */
import type { HistoryBlob, HistoryRequest, HistoryStore } from '../../persistence/history.ts'
import type { RecordIdentity } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import { type BlobEntry, decodeManifest, encodeManifest, type Manifest } from './manifest.ts'

/** Where a history stands. It belongs to one life of the document. */
export type Kept = {
  readonly incarnation: string
  readonly generation: number
  readonly manifest: Manifest
  readonly releasedTo: number
  readonly pins: readonly number[]
}

/** What is to be there from now on. What is absent stays as it was. */
export type Change = {
  readonly manifest: Manifest
  /** Those that the manifest names anew. */
  readonly blobs?: readonly HistoryBlob[]
  readonly releasedTo?: number
  readonly pins?: readonly number[]
  /** As in a HistoryRequest. */
  readonly through?: RecordIdentity | null
  readonly freedBytes?: number
  readonly checkpoint?: number
}

/** A blob that is to be written, and how the manifest names it. */
export type NewBlob = { readonly entry: BlobEntry; readonly blob: HistoryBlob }

type Parts = {
  readonly store: HistoryStore
  /** From 0 to below 1. */
  readonly random: () => number
  readonly limits: { readonly historyTriesMax: number }
}

const blobNumberMax = 2 ** 48 - 1

/** Every call rejects with what the store rejects with, and with ERR_DOCUMENT_DAMAGED for what cannot be read. */
export class KeptHistories {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Null: the document has none. */
  async read(document: string): Promise<Kept | null> {
    const stored = await this.#parts.store.read(document)
    return stored === null ? null : { ...stored, manifest: decodeManifest(stored.manifest) }
  }

  /** In the order of the entries. One that is not there was dropped meanwhile, or is lost: ERR_DOCUMENT_DAMAGED. */
  async blobs(
    document: string,
    incarnation: string,
    entries: readonly BlobEntry[]
  ): Promise<readonly Uint8Array[]> {
    if (entries.length === 0) return []
    const numbers = entries.map(({ blob }) => blob)
    const found = await this.#parts.store.blobs(document, incarnation, numbers)
    return found.map((bytes, index) => {
      if (bytes !== null) return bytes
      throw new Fault('ERR_DOCUMENT_DAMAGED', `blob ${numbers[index]} of the history is not there`)
    })
  }

  /** Of a number that nobody else has chosen. */
  newBlob(bytes: Uint8Array): NewBlob {
    const number = 1 + Math.floor(this.#parts.random() * (blobNumberMax - 1))
    return { entry: { blob: number, bytes: bytes.length }, blob: { number, bytes } }
  }

  /**
   * Changes the history of this life. `edit` is given what is there, and again what is there by then when somebody else was
   * faster; null: it has nothing to change. Resolves to what is there now, or to null when nothing was changed: `edit` said
   * so, or the life or its history is over. ERR_OVERLOADED when others were faster again and again.
   */
  async change(
    document: string,
    incarnation: string,
    edit: (kept: Kept) => Change | null
  ): Promise<Kept | null> {
    for (let tries = 0; tries < this.#parts.limits.historyTriesMax; tries++) {
      const kept = await this.read(document)
      if (kept === null || kept.incarnation !== incarnation) return null
      const change = edit(kept)
      if (change === null) return null
      const changed = await this.#write(document, kept, change)
      if (changed !== null) return changed
    }
    throw new Fault('ERR_OVERLOADED', 'others change the history of the document all the time')
  }

  /**
   * What the work makes of this history; null where it says so, and where something is not there which the history does not
   * name any more: somebody else has changed it while this was about to read it, and it is not damaged.
   */
  async unlessOvertaken<T>(document: string, kept: Kept, work: () => Promise<T | null>): Promise<T | null> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'ERR_DOCUMENT_DAMAGED') throw error
      const now = await this.read(document)
      if (now?.generation === kept.generation) throw error
      return null
    }
  }

  /**
   * The same with what is there, and again with what is there by then as long as others are faster: `work` gives null. Null:
   * the document has no history (any more). ERR_OVERLOADED when others were faster again and again.
   */
  async again<T>(document: string, work: (kept: Kept) => Promise<T | null>): Promise<T | null> {
    for (let tries = 0; tries < this.#parts.limits.historyTriesMax; tries++) {
      const kept = await this.read(document)
      if (kept === null) return null
      const done = await this.unlessOvertaken(document, kept, () => work(kept))
      if (done !== null) return done
    }
    throw new Fault('ERR_OVERLOADED', 'others change the history of the document all the time')
  }

  /** Begins one. Null: the life is over, has one already, or another checkpoint than the change says. */
  async begin(document: string, incarnation: string, change: Change): Promise<Kept | null> {
    const { manifest, releasedTo = 0, pins = [] } = change
    const nothing = { incarnation, generation: null, manifest: null, releasedTo, pins }
    return this.#write(document, nothing, { ...change, manifest })
  }

  /** Ends the history of a life. False: it had none. */
  drop(document: string, incarnation: string): Promise<boolean> {
    return this.#parts.store.drop(document, incarnation)
  }

  async #write(
    document: string,
    before: Omit<Kept, 'generation' | 'manifest'> & {
      readonly generation: number | null
      readonly manifest: Manifest | null
    },
    change: Change
  ): Promise<Kept | null> {
    const { manifest, blobs = [], releasedTo = before.releasedTo, pins = before.pins } = change
    const { through, freedBytes, checkpoint } = change
    const { incarnation } = before
    const request: HistoryRequest = {
      ...{ document, incarnation, base: before.generation, manifest: encodeManifest(manifest) },
      ...{ blobs, drops: dropped(before.manifest, manifest), releasedTo, pins },
      ...(through === undefined ? {} : { through }),
      ...(freedBytes === undefined ? {} : { freedBytes }),
      ...(checkpoint === undefined ? {} : { checkpoint })
    }
    const result = await this.#parts.store.write(request)
    if (result.outcome === 'superseded') return null
    return { incarnation, generation: result.generation, manifest, releasedTo, pins }
  }
}

/** Every blob that the manifest names. */
export function entriesOf(manifest: Manifest): BlobEntry[] {
  const { segments, keyframes, known, copies } = manifest
  const sealed = segments.flatMap(({ timeline, body }) => (body === null ? [timeline] : [timeline, body]))
  return [...sealed, ...keyframes, ...(known === null ? [] : [known]), ...copies]
}

/** How much the store keeps for it, the manifest left out. */
export function bytesOf(manifest: Manifest): number {
  return entriesOf(manifest).reduce((sum, { bytes }) => sum + bytes, 0)
}

function dropped(before: Manifest | null, after: Manifest): number[] {
  if (before === null) return []
  const stays = new Set(entriesOf(after).map(({ blob }) => blob))
  return entriesOf(before).flatMap(({ blob }) => (stays.has(blob) ? [] : [blob]))
}
