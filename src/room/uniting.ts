/**
 * Unites what large updates have made known with what else is known, in slices; whoever sent the largest pays for the time.
 */

import type { Slices } from '../base/slices.ts'
import type { Document } from '../document/document.ts'
import type { Sent } from './broadcast.ts'
import type { Member } from './member.ts'

export class Uniting {
  readonly #document: Document
  readonly #slices: Slices
  #isUnderWay = false
  #payer: Member | null = null

  constructor(document: Document, slices: Slices) {
    this.#document = document
    this.#slices = slices
  }

  /** These have become durable, or a checkpoint is there. Cheap when there is nothing to do. */
  after(batch: readonly Sent[]): void {
    if (!this.#document.isApart) return
    // Who sends something small meanwhile does not pay for what is under way.
    if (this.#isUnderWay) return
    this.#payer = senderOfLargest(batch)
    void this.#run()
  }

  /** Never rejects: when it is cut short, the server stops. */
  async #run(): Promise<void> {
    this.#isUnderWay = true
    const spent = (spentMs: number) => this.#payer?.port.charge(spentMs)
    await this.#slices.run(this.#document.unite(), { spent, sender: null }).catch(() => {})
    this.#isUnderWay = false
    this.#payer = null
  }
}

function senderOfLargest(batch: readonly Sent[]): Member | null {
  let largest: Sent | null = null
  for (const sent of batch) {
    if (sent.update.length > (largest?.update.length ?? 0)) largest = sent
  }
  return largest?.member ?? null
}
