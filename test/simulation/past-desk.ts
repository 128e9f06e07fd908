/** What people can ask a process of a run about the past of documents: the real parts, over virtual workers. */
import type { HistoryStore } from '../../persistence/history.ts'
import type { Log } from '../../src/base/log.ts'
import type { Time } from '../../src/base/time.ts'
import { DocumentHistories } from '../../src/documents/document-histories.ts'
import type { DocumentHistory } from '../../src/documents/history-api.ts'
import { Histories } from '../../src/history/histories.ts'
import type { PolicyOf } from '../../src/history/policy.ts'
import { orStoreFault } from '../../src/room/store-fault.ts'
import type { Chance } from './chance.ts'
import type { VirtualAsking, VirtualSealing } from './past-work.ts'

export type DeskParts = Omit<
  ConstructorParameters<typeof DocumentHistories>[0],
  'workers' | 'random' | 'newId'
> & {
  readonly history: HistoryStore
  readonly asking: VirtualAsking
  readonly sealing: VirtualSealing
  readonly policyOf: PolicyOf
  readonly chance: Chance
  readonly log: Log
}

/** Versions that the server has made are as old then as makes them few. */
const laterMs = 2 * 86_400_000

export class PastDesk {
  readonly #asking: VirtualAsking
  readonly #asked: DocumentHistories
  readonly #policyOf: PolicyOf
  /** The histories as they are looked at later. */
  readonly #later: Histories

  constructor({ asking, sealing, chance, policyOf, ...parts }: DeskParts) {
    this.#asking = asking
    this.#policyOf = policyOf
    const random = () => chance.between(0, 1)
    const name = chance.below(2 ** 32).toString(36)
    let ids = 0
    const newId = () => `${name}-${ids++}`
    this.#asked = new DocumentHistories({ ...parts, workers: asking, random, newId })
    const { history: store, slices, limits, metrics, log, time } = parts
    const later = { slices, limits, metrics, log, time: laterThan(time) }
    this.#later = new Histories({ ...later, store, work: sealing, policyOf, random })
  }

  of(room: string): DocumentHistory {
    return this.#asked.of(room)
  }

  /** As the sweep does, two days later. Rejects with a Fault where the store fails. */
  async thin(room: string): Promise<void> {
    const policy = this.#policyOf(room)
    try {
      if (policy !== null) await this.#later.cutToAge(room, policy)
    } catch (error) {
      throw orStoreFault(error)
    }
  }

  /** Nothing new begins; resolves when the job that is under way is over. */
  close(): Promise<void> {
    this.#asked.close()
    return this.#asking.close()
  }
}

function laterThan(time: Time): Time {
  return {
    nowMs: () => time.nowMs(),
    wallMs: () => time.wallMs() + laterMs,
    after: (ms, run) => time.after(ms, run),
    soon: run => time.soon(run)
  }
}
