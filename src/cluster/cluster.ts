/**
 * This node among the others: tells them of what it has appended, hears of what they have, and looks into the store for
 * what nobody told. It knows documents by name and life, and never looks into a record.
 */
import { createHash } from 'node:crypto'
import { type Pulse, type SealedBus, startPulse } from '../../bus/index.ts'
import type { DocumentHead, Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { type Cancel, type Time, within } from '../base/time.ts'
import type { Followed, Nodes, Notice } from '../room/nodes.ts'
import type { PresenceLine, PresenceListener } from '../room/presence-line.ts'
import { HeadReads } from './head-reads.ts'
import { readNotice, writeNotice } from './notice.ts'
import { Presences, type PresencesLimits } from './presences.ts'

type Limits = {
  readonly headsPollMs: number
  readonly headsPollAwayMs: number
  readonly freshHeadMs: number
} & PresencesLimits

type Parts = {
  readonly store: Store
  readonly bus: SealedBus
  readonly time: Time
  readonly limits: Limits
  readonly log: Log
}

export class Cluster implements Nodes {
  readonly node: string
  readonly #parts: Parts
  readonly #reads: HeadReads
  /** Of each document that is open here. */
  readonly #followed = new Map<string, Followed>()
  readonly #pulse: Pulse
  readonly #presences: Presences
  #cancelPoll: Cancel = () => {}
  #isPolling = false
  #isClosed = false

  constructor(parts: Parts) {
    this.node = parts.store.node
    this.#parts = parts
    this.#reads = new HeadReads(parts.store)
    this.#pulse = startPulse({ bus: parts.bus, time: parts.time, onState: () => this.#pulseChanged() })
    this.#presences = new Presences(parts)
    this.#schedulePoll()
  }

  sharePresence(document: string, listener: PresenceListener): PresenceLine {
    return this.#presences.open({ document, topic: topicOf(document) }, listener)
  }

  /** Whether the bus carries messages; while it does not, the store is asked more often. */
  #pulseChanged(): void {
    this.#parts.log.warn({ bus: this.#pulse.state() }, 'the bus between the nodes')
    this.#cancelPoll()
    // What was lost while it was away is not told again.
    if (!this.#isPolling) void this.#poll()
  }

  follow(document: string, followed: Followed): () => void {
    this.#followed.set(document, followed)
    const unsubscribe = this.#parts.bus.subscribe(topicOf(document), ({ bytes }) => {
      const notice = this.#read(document, bytes)
      if (notice !== null) followed.heard(notice)
    })
    return () => {
      unsubscribe()
      if (this.#followed.get(document) === followed) this.#followed.delete(document)
    }
  }

  announce(document: string, notice: Notice): void {
    const { bus } = this.#parts
    // One that does not leave is found by the heads.
    bus.publish(topicOf(document), writeNotice(notice, bus.payloadBytesMax))
  }

  /** Rejects with ERR_STORE also when the store takes too long: who waits may try another node. */
  freshHead(document: string): Promise<DocumentHead> {
    const { time, limits } = this.#parts
    const late = new Fault('ERR_STORE', 'the store does not say where the document stands')
    return within(this.#reads.head({ document }), { time, ms: limits.freshHeadMs, late })
  }

  close(): void {
    this.#isClosed = true
    this.#pulse.close()
    this.#presences.close()
    this.#cancelPoll()
  }

  #read(document: string, bytes: Uint8Array): Notice | null {
    try {
      return readNotice(bytes)
    } catch (error) {
      this.#parts.log.warn({ error, document }, 'another node sent a notice that cannot be read')
      return null
    }
  }

  #schedulePoll(): void {
    if (this.#isClosed) return
    const { headsPollMs, headsPollAwayMs } = this.#parts.limits
    const delayMs = this.#pulse.state() === 'well' ? headsPollMs : headsPollAwayMs
    this.#cancelPoll = this.#parts.time.after(delayMs, () => void this.#poll())
  }

  /** Never rejects. A last message that was lost shows only here. */
  async #poll(): Promise<void> {
    this.#isPolling = true
    const asking = [...this.#followed].map(async ([document, followed]) => {
      const { visible } = followed
      const head = await this.#reads.head({ document, at: visible })
      if (this.#followed.get(document) === followed) followed.headIs(head, visible)
    })
    const results = await Promise.allSettled(asking)
    const failed = results.find(result => result.status === 'rejected')
    if (failed !== undefined) {
      this.#parts.log.warn(
        { error: failed.reason },
        'the store does not say where documents stand; tried again'
      )
    }
    this.#isPolling = false
    this.#schedulePoll()
  }
}

/** Names of documents are longer than topics may be. */
function topicOf(document: string): string {
  return `document/${createHash('sha256').update(document).digest('base64url')}`
}
