/**
 * What the parts of the ordered store share: the open session, the heads in memory, the counters, and how a
 * document is born. Everything here is called from a turn in the write queue.
 */
import {
  type Counters,
  countersKey,
  encodeCounters,
  encodeHead,
  encodeName,
  type Head,
  headKey,
  kinds,
  seal
} from './format.ts'
import type { Heads } from './heads.ts'
import type { Operation } from './ordered.ts'
import type { OnReport } from './reports.ts'
import type { Session } from './session.ts'
import type { Tidy } from './tidy.ts'

/** `counters` is replaced only after the batch that contains it has been written. */
export type StoreParts = {
  readonly session: Session
  readonly heads: Heads
  readonly tidy: Tidy
  readonly onReport: OnReport
  readonly state: { counters: Counters }
}

/** The head of a document about to be created, and the counters after it. */
export function birth(counters: Counters): { head: Head; counters: Counters } {
  const { nextIncarnation, sequenceFloor } = counters
  const head = { incarnation: nextIncarnation, lastSequence: sequenceFloor, generation: 0, segmentCount: 0 }
  return { head, counters: { nextIncarnation: nextIncarnation + 1, sequenceFloor } }
}

export function putHead(document: string, head: Head): Operation {
  const key = headKey(encodeName(document))
  return { type: 'put', key, value: seal(key, kinds.head, encodeHead(head)) }
}

export function putCounters(counters: Counters): Operation {
  return { type: 'put', key: countersKey, value: seal(countersKey, kinds.counters, encodeCounters(counters)) }
}
