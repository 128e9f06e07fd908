/**
 * What a history holds of a document, as bytes: `known := 01, varUint8Array stateVector, runs`, compressed; `runs` are the
 * deletions, as in a checkpoint.
 */
import { brotliDecompressSync } from 'node:zlib'
import { Fault } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import { ByteWriter } from '../document/byte-writer.ts'
import { ClockRuns } from '../document/clocks.ts'
import { encodeRuns, readRuns } from '../document/run-bytes.ts'
import { decodeStateVector, encodeStateVector } from '../document/state-vector.ts'
import { finish } from '../document/steps.ts'
import type { Known } from './integration.ts'
import { compress } from './segment.ts'

const version = 1

export function encodeKnown({ vector, deletes }: Known): Uint8Array {
  const clocks = encodeStateVector(vector)
  const runs = encodeRuns(deletes)
  const writer = new ByteWriter(16 + clocks.length + runs.length)
  writer.writeVarUint(version)
  writer.writeVarUint(clocks.length)
  writer.writeRange(clocks, 0, clocks.length)
  writer.writeRange(runs, 0, runs.length)
  return compress(writer.toUint8Array())
}

/** Null: nothing is known. Throws ERR_BAD_MESSAGE when it is none. */
export function decodeKnown(bytes: Uint8Array | null): Known {
  if (bytes === null) return { vector: new Map(), deletes: new ClockRuns() }
  const whole = brotliDecompressSync(bytes)
  const reader = new Reader(whole)
  if (reader.varUint() !== version) throw new Fault('ERR_BAD_MESSAGE', 'what is known, of an unknown version')
  const clocks = reader.byteArray()
  const runs = whole.subarray(reader.position)
  return {
    vector: decodeStateVector(clocks, { clientsMax: Number.POSITIVE_INFINITY }),
    deletes: finish(readRuns(runs))
  }
}
