/** Finds the record of a restore of which the answer was lost: among those that are not sealed, or in a timeline. */
import type { HistoryStore } from '../../persistence/history.ts'
import { decodeRecord } from '../document/record.ts'
import { scanUpdate } from '../document/scan.ts'
import type { Kept, KeptHistories } from '../history/kept.ts'
import { packedChanges } from '../history/timeline.ts'

type Parts = {
  readonly history: HistoryStore
  readonly histories: KeptHistories
  readonly limits: { readonly gapRecordsMax: number; readonly gapBytesMax: number }
}

export class RestoreSearch {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The number of the record that has inserted this client's clocks; null: the history does not know it (any more). */
  async find(document: string, kept: Kept, client: number): Promise<number | null> {
    return (
      (await this.#inRecords(document, kept, client)) ?? (await this.#inTimelines(document, kept, client))
    )
  }

  /** Bounded by what may be unsealed. */
  async #inRecords(document: string, { incarnation }: Kept, client: number): Promise<number | null> {
    const { history, limits } = this.#parts
    const most = { records: limits.gapRecordsMax, bytes: limits.gapBytesMax }
    for (let after = 0; ; ) {
      const page = await history.unreleased(document, incarnation, after, most)
      if (page.outcome !== 'records') return null
      for (const { sequence, record } of page.records) if (isOf(record, client)) return sequence
      const last = page.records.at(-1)
      if (last === undefined || last.sequence >= page.head) return null
      after = last.sequence
    }
  }

  /** The newest first. */
  async #inTimelines(document: string, kept: Kept, client: number): Promise<number | null> {
    for (const { timeline } of kept.manifest.segments.toReversed()) {
      const [bytes] = await this.#parts.histories.blobs(document, kept.incarnation, [timeline])
      if (bytes === undefined) return null
      const change = packedChanges(bytes)
      while (change.next()) {
        for (let at = 0; at < change.inserted.length; at += 3)
          if (change.inserted[at] === client) return change.sequence
      }
    }
    return null
  }
}

function isOf(record: Uint8Array, client: number): boolean {
  return decodeRecord(record).some(
    ({ author, update }) =>
      author?.origin === 'restore' && scanUpdate(update).structs.some(range => range.client === client)
  )
}
