/**
 * Who comes to a room with a copy of a document that was deleted: told apart from the others before anything of it is
 * taken, sent or shown. What it sends is refused as every refused update is; see `intake.ts`.
 */

import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Document } from '../document/document.ts'
import type { UpdateScan } from '../document/scan.ts'
import type { Tombstone } from '../document/tombstone.ts'
import type { Member } from './member.ts'

type Parts = { readonly time: Time; readonly limits: Limits }

/** Tells the member, and ends it. */
type Refuse = (member: Member, fault: Fault) => void

export class OldCopies {
  readonly #tombstone: Tombstone
  readonly #document: Document
  readonly #parts: Parts
  readonly #refuse: Refuse
  /** Members whose state vector has given them away: they are refused when they have sent their copy. */
  readonly #known = new Map<Member, Cancel>()

  private constructor(
    tombstone: Tombstone,
    document: Document,
    { parts, refuse }: { parts: Parts; refuse: Refuse }
  ) {
    this.#tombstone = tombstone
    this.#document = document
    this.#parts = parts
    this.#refuse = refuse
  }

  /** Null for a document of which no tombstone is kept: then nothing needs to be looked at. */
  static of(document: Document, parts: Parts, refuse: Refuse): OldCopies | null {
    const { tombstone } = document
    return tombstone === null ? null : new OldCopies(tombstone, document, { parts, refuse })
  }

  /** Whether the member is known to have an old copy: it is told nothing of the present life. */
  isKnown(member: Member): boolean {
    return this.#known.has(member)
  }

  /**
   * Whether a SyncStep1 shows an old copy. Then it is not to be answered: the client would merge both lives. What it
   * has comes in its SyncStep2, and is set aside; after a while it is refused all the same.
   */
  recognise(member: Member, vector: ReadonlyMap<number, number>): boolean {
    if (this.#known.has(member)) return true
    const found = this.#tombstone.findInVector(vector, this.#document)
    if (found === null) return false
    const refuse = () => this.#refuse(member, oldCopy(`its state vector has ${found.client}:${found.clock}`))
    this.#known.set(member, this.#parts.time.after(this.#parts.limits.oldCopyWaitMs, refuse))
    return true
  }

  /** Throws ERR_OLD_COPY for an update of an old copy. Cheap for one that brings nothing of a client of a dead life. */
  check(member: Member, scan: UpdateScan): void {
    const found = this.#tombstone.findIn(scan, this.#document)
    if (found !== null) throw oldCopy(`it hangs on ${found.client}:${found.clock}`)
    if (this.#known.has(member)) throw oldCopy('it comes with an old copy')
  }

  leave(member: Member): void {
    this.#known.get(member)?.()
    this.#known.delete(member)
  }

  close(): void {
    for (const cancel of this.#known.values()) cancel()
    this.#known.clear()
  }
}

function oldCopy(why: string): Fault {
  return new Fault('ERR_OLD_COPY', `this copy belongs to a document that was deleted: ${why}`)
}
