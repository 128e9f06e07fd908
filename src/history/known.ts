/**
 * What a history holds at the end of what is sealed, as bytes: where the next segment goes on from.
 *
 *   known := varUint length, runs of structs, varUint length, runs of deletions    (runs: src/document/run-bytes.ts)
 */
import { Reader } from '../base/reader.ts'
import { ByteWriter } from '../document/byte-writer.ts'
import { ClockRuns } from '../document/clocks.ts'
import { encodeRuns, readRuns } from '../document/run-bytes.ts'
import { finish, type Steps } from '../document/steps.ts'
import type { Known } from './integration.ts'

/** A new array. */
export function encodeKnown({ vector, deletes }: Known): Uint8Array {
  const structs = new ClockRuns()
  for (const [client, end] of vector) if (end > 0) structs.add(client, 0, end)
  const parts = [encodeRuns(structs), encodeRuns(deletes)]
  const writer = new ByteWriter(16 + parts.reduce((sum, { length }) => sum + length, 0))
  for (const part of parts) {
    writer.writeVarUint(part.length)
    writer.writeRange(part, 0, part.length)
  }
  return writer.toUint8Array()
}

/** Throws ERR_BAD_MESSAGE when the bytes are none. */
export function decodeKnown(bytes: Uint8Array): Known {
  return finish(readKnown(bytes))
}

/** The same in steps. */
export function* readKnown(bytes: Uint8Array): Steps<Known> {
  const reader = new Reader(bytes)
  const structs = yield* readRuns(reader.byteArray())
  const deletes = yield* readRuns(reader.byteArray())
  reader.end()
  return { vector: structs.stateVector(), deletes }
}
