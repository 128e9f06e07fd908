/** The byte budget over all rooms' checkpoints: the least recently joined ones are left to the store. */
import type { Document } from '../document/document.ts'

export class CheckpointCache {
  readonly #bytesMax: number
  /** Least recently used first. */
  readonly #documents = new Map<Document, number>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The document's segments were read or set; others may lose theirs. Joiners keep alive what they read. */
  used(document: Document): void {
    this.released(document)
    const checkpoint = document.checkpoint
    if (checkpoint === null || checkpoint.segments === null) return
    this.#documents.set(document, checkpoint.bytes)
    this.#bytes += checkpoint.bytes
    for (const oldest of this.#documents.keys()) {
      if (this.#bytes <= this.#bytesMax || oldest === document) return
      if (oldest.checkpoint !== null) oldest.checkpoint.segments = null
      this.released(oldest)
    }
  }

  /** The document is closed, or its checkpoint was replaced. */
  released(document: Document): void {
    this.#bytes -= this.#documents.get(document) ?? 0
    this.#documents.delete(document)
  }
}
