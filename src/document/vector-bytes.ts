/**
 * A document's state vector as bytes, kept while the document changes. One of very many clients is not written anew for
 * each change: what changed is written behind the rest, as the last entry of a client counts.
 */
import { ByteWriter } from './byte-writer.ts'
import type { ClockRuns } from './clocks.ts'
import type { ClockRange } from './scan.ts'
import { encodeStateVector } from './state-vector.ts'

/** Writing so many entries takes less than a millisecond. */
const wholeClientsMax = 2_048
/** The share of all entries that may lie behind the rest. */
const behindRatio = 1 / 8

export class VectorBytes {
  readonly #known: ClockRuns
  #whole: Uint8Array | null = null
  #bytes: Uint8Array | null = null
  /** Whose clocks are not those in `#whole`. */
  readonly #changed = new Set<number>()

  constructor(known: ClockRuns) {
    this.#known = known
  }

  /** Shared, not to be written into. */
  bytes(): Uint8Array {
    if (this.#whole === null) {
      this.#changed.clear()
      this.#whole = encodeStateVector(this.#known)
      this.#bytes = this.#whole
    }
    this.#bytes ??= appended(this.#whole, this.#changed, this.#known)
    return this.#bytes
  }

  /** The set knows more: these, or whatever if null. */
  changed(structs: readonly ClockRange[] | null): void {
    if (structs?.length === 0) return
    this.#bytes = null
    const clients = this.#known.clientCount
    const isSmall = clients <= wholeClientsMax || structs === null
    if (isSmall || this.#changed.size + structs.length > clients * behindRatio) this.#whole = null
    else for (const { client } of structs) this.#changed.add(client)
  }
}

function appended(whole: Uint8Array, changed: ReadonlySet<number>, known: ClockRuns): Uint8Array {
  const entries = new ByteWriter(changed.size * 9)
  let count = 0
  for (const client of changed) {
    const clock = known.prefixEnd(client)
    if (clock === 0) continue
    entries.writeVarUint(client)
    entries.writeVarUint(clock)
    count++
  }
  let start = 0
  let wholeCount = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = whole[start++] ?? 0
    wholeCount += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  const writer = new ByteWriter(whole.length + entries.length + 9)
  writer.writeVarUint(wholeCount + count)
  writer.writeRange(whole, start, whole.length)
  const behind = entries.toUint8Array()
  writer.writeRange(behind, 0, behind.length)
  return writer.toUint8Array()
}
