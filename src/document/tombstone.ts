/**
 * What is left of a document's earlier lives: how far each client's clocks had come. It tells an old copy from what
 * belongs to the present life. Must not know who sends what.
 */
import { Fault } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import { ByteWriter } from './byte-writer.ts'
import type { ClockPoint, ClockRange, UpdateScan } from './scan.ts'

const version = 1

/** Per client the clock after its last one. What lies below counts as dead, gaps included: they wait for dead ones. */
export type ClientEnds = ReadonlyMap<number, number>

/** What the document holds since it began anew. */
export type PresentLife = { knowsStructs(range: ClockRange): boolean }

export class Tombstone {
  readonly ends: ClientEnds

  constructor(ends: ClientEnds) {
    this.ends = ends
  }

  /**
   * What the update brings, deletes or hangs on first that is of a dead life and unknown to the present one; null if
   * there is nothing. O(ranges of the update).
   */
  findIn({ structs, deletes, dependencies }: UpdateScan, present: PresentLife): ClockPoint | null {
    const isDead = (range: ClockRange) => this.#isDead(range, present)
    const range = structs.find(isDead) ?? deletes.find(isDead)
    return range ?? dependencies.find(({ client, clock }) => isDead({ client, clock, length: 1 })) ?? null
  }

  /** The same for a copy with this state vector. */
  findInVector(vector: ReadonlyMap<number, number>, present: PresentLife): ClockPoint | null {
    for (const [client, length] of vector) {
      if (length > 0 && this.#isDead({ client, clock: 0, length }, present))
        return { client, clock: length - 1 }
    }
    return null
  }

  /** A client's clocks follow one another: who has a clock has had all below it, and they are of the same life. */
  #isDead(range: ClockRange, present: PresentLife): boolean {
    const end = this.ends.get(range.client)
    if (end === undefined || present.knowsStructs(range)) return false
    const length = Math.min(end, range.clock + range.length)
    return !present.knowsStructs({ client: range.client, clock: 0, length })
  }
}

/** Both lives in one. Beyond `clientsMax` clients those with the fewest clocks are left out. */
export function unite(
  lives: readonly ClientEnds[],
  clientsMax: number
): { ends: ClientEnds; isWhole: boolean } {
  const ends = new Map<number, number>()
  for (const life of lives) {
    for (const [client, end] of life) ends.set(client, Math.max(end, ends.get(client) ?? 0))
  }
  if (ends.size <= clientsMax) return { ends, isWhole: true }
  const longest = [...ends].sort(([, a], [, b]) => b - a).slice(0, clientsMax)
  return { ends: new Map(longest), isWhole: false }
}

/** `varUint version, varUint clients, per client (varUint client, varUint end)` */
export function encodeTombstone(ends: ClientEnds): Uint8Array {
  const writer = new ByteWriter(16 + ends.size * 9)
  writer.writeVarUint(version)
  writer.writeVarUint(ends.size)
  for (const [client, end] of ends) {
    writer.writeVarUint(client)
    writer.writeVarUint(end)
  }
  return writer.toUint8Array()
}

/** Throws ERR_BAD_MESSAGE when the bytes are no tombstone of this version. */
export function decodeTombstone(bytes: Uint8Array): ClientEnds {
  const reader = new Reader(bytes)
  if (reader.varUint() !== version) throw new Fault('ERR_BAD_MESSAGE', 'a tombstone of another version')
  const ends = new Map<number, number>()
  const count = reader.varUint()
  for (let i = 0; i < count; i++) {
    const client = reader.varUint()
    ends.set(client, reader.varUint())
  }
  reader.end()
  return ends
}
