/**
 * What a document begins with of which the store holds nothing: asks the embedding application, and checks the answer
 * before anyone relies on it. Who writes it, and when, is the room's business.
 */

import { Fault, NoSuchDocument, Refusal, toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Slices } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import { TimedCalls, TimedOut } from '../base/timed-calls.ts'
import { WorkQueue } from '../base/work-queue.ts'
import { Document } from '../document/document.ts'
import { isEmptyUpdate } from '../document/scan.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { scanInSlices } from '../room/intake.ts'

/**
 * Given a document's name: a Yjs V1 update (the array is copied), or null for a document that begins empty. Throws
 * `NoSuchDocument` of a name that is no document's, and `Refusal` to say something else to clients.
 */
export type Load = (document: string) => Uint8Array | null | PromiseLike<Uint8Array | null>

type Parts = {
  readonly time: Time
  readonly limits: Limits
  readonly slices: Slices
  readonly metrics: Metrics
  readonly log: Log
}

export class Seeds {
  readonly #load: Load
  readonly #parts: Parts
  readonly #turns: WorkQueue
  readonly #calls: TimedCalls

  constructor(load: Load, parts: Parts) {
    this.#load = load
    this.#parts = parts
    const { loadsMax, loadsWaitingMax, loadTimeoutMs } = parts.limits
    this.#turns = new WorkQueue({ atOnceMax: loadsMax, waitingMax: loadsWaitingMax })
    this.#calls = new TimedCalls(parts.time, loadTimeoutMs)
  }

  /**
   * The document's first update, or null. Rejects with ERR_LOAD, which has been logged and counted, with what the
   * application says instead (ERR_NO_DOCUMENT, ERR_FORBIDDEN, ERR_NOT_NOW), or with ERR_OVERLOADED or ERR_GOING_DOWN; the
   * next who opens the document asks again.
   */
  of(document: string): Promise<ScannedUpdate | null> {
    return this.#turns.run(async () => {
      try {
        const answer: unknown = await this.#calls.call(() => this.#load(document))
        const seed = answer === null || answer === undefined ? null : await this.#check(answer)
        this.#parts.metrics.hookCalled('load', 'done')
        return seed
      } catch (error) {
        throw this.#failed(document, error)
      }
    })
  }

  /** Answers who waits with ERR_GOING_DOWN, and leaves no timer. */
  close(): void {
    this.#calls.close()
  }

  async #check(answer: unknown): Promise<ScannedUpdate | null> {
    const { limits, slices } = this.#parts
    if (!(answer instanceof Uint8Array)) throw new Error('it must return a Uint8Array or null')
    if (answer.length > limits.documentBytesMax) {
      throw new Error(
        `its ${answer.length} bytes are more than documentBytesMax (${limits.documentBytesMax})`
      )
    }
    const update = Uint8Array.from(answer)
    if (isEmptyUpdate(update)) return null
    const scan = await slices.run(scanInSlices(update, limits), null).catch((cause: unknown) => {
      throw new Error(`its bytes are no Yjs V1 update (${toFault(cause).message})`, { cause })
    })
    const judgement = new Document('').judge(scan)
    if (judgement.type === 'new' && judgement.gap !== null) {
      // Clients would hold it back for ever, and show an empty document.
      throw new Error(`its update hangs on client:clock ${judgement.gap}, which it does not contain`)
    }
    return { update, scan }
  }

  #failed(document: string, error: unknown): Fault {
    if (error instanceof Fault && error.code === 'ERR_GOING_DOWN') return error
    const { metrics, log } = this.#parts
    if (error instanceof NoSuchDocument || error instanceof Refusal) {
      // An answer, and no failure: whoever asks for names that do not exist must not fill the log.
      metrics.hookCalled('load', 'refused')
      log.debug({ document, code: error.code, reason: error.message }, 'load refuses the document')
      return error
    }
    metrics.hookCalled('load', error instanceof TimedOut ? 'timed-out' : 'failed')
    log.error({ document, error }, 'load failed; the document does not open, clients try again')
    return new Fault('ERR_LOAD', `load: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error
    })
  }
}

/** What a server with `load` and without a directory is told, once. */
export const loadForgets =
  'documents are kept in memory: after a restart each begins anew with what load gives, and clients that still have ' +
  'the one before are merged with it, text twice; name a directory (data) to keep them'
