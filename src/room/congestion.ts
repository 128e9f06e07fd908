/** Members whose sockets are not read for a while, because too much of what came is not durable yet. */
import type { Limits } from '../base/limits.ts'
import type { Document } from '../document/document.ts'
import type { Member } from './member.ts'

export class Congestion {
  readonly #document: Document
  readonly #limits: Limits
  #held = new Set<Member>()

  constructor(document: Document, limits: Limits) {
    this.#document = document
    this.#limits = limits
  }

  /** Something of the member's has been taken. */
  taken(member: Member): void {
    if (!this.#isTooMuch || this.#held.has(member)) return
    this.#held.add(member)
    member.port.pause()
  }

  /** The member has left. */
  forget(member: Member): void {
    this.#held.delete(member)
  }

  /** Something has become durable. */
  settled(): void {
    if (this.#isTooMuch || this.#held.size === 0) return
    const released = this.#held
    this.#held = new Set()
    for (const member of released) member.port.resume()
  }

  get #isTooMuch(): boolean {
    return this.#document.heldBytes > this.#limits.uncommittedBytesMax
  }
}
