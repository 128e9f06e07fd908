/**
 * What was refused of old copies, set aside once: a client that comes back again and again with the same would push
 * everything else out of the area.
 */
import { createHash } from 'node:crypto'
import type { SetAside, Store } from '../../persistence/store.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import type { SetAsides } from './set-asides.ts'

type Parts = {
  readonly store: Store
  readonly setAsides: SetAsides
  readonly time: Time
  readonly limits: Limits
}

export class KeptCopies {
  readonly #document: string
  readonly #parts: Parts
  /** Digests of what is set aside; read when the first copy comes. */
  #digests: Promise<Set<string>> | null = null

  constructor(document: string, parts: Parts) {
    this.#document = document
    this.#parts = parts
  }

  /** Sets it aside unless the same bytes are there already. Rejects with what the store rejects with. */
  async setAside(source: string, entry: SetAside): Promise<void> {
    this.#digests ??= this.#read()
    const digests = await this.#digests.catch((error: unknown) => {
      this.#digests = null
      throw error
    })
    const digest = digestOf(entry.bytes)
    if (digests.has(digest)) return
    if (digests.size >= this.#parts.limits.keptCopiesMax) digests.clear()
    // Before the write, so that two clients with one copy do not both write it.
    digests.add(digest)
    try {
      const kept = await this.#parts.setAsides.add(this.#document, source, entry)
      // Of which only the beginning is there, the whole may be kept when it comes again.
      if (kept === 'beginning') digests.delete(digest)
    } catch (error) {
      digests.delete(digest)
      throw error
    }
  }

  async #read(): Promise<Set<string>> {
    const digests = new Set<string>()
    for (const { bytes } of await this.#parts.store.listSetAside(this.#document)) {
      digests.add(digestOf(bytes))
      await new Promise<void>(resolve => void this.#parts.time.soon(resolve))
    }
    return digests
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64')
}
