/**
 * What restores have copied from where, as bytes: the store keeps it as blobs of a history, one for each restore or for
 * several.
 *
 *   copies := 01, varUint n, n × (varUint client, varUint clock, varUint length, varUint ofClient, varUint ofClock)
 */
import { Fault } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import { ByteWriter } from '../document/byte-writer.ts'
import type { CopyRun } from './restore.ts'

const version = 1

/** A new array. */
export function encodeCopies(runs: readonly CopyRun[]): Uint8Array {
  const writer = new ByteWriter(16 + runs.length * 16)
  writer.writeByte(version)
  writer.writeVarUint(runs.length)
  for (const { client, clock, length, ofClient, ofClock } of runs) {
    for (const number of [client, clock, length, ofClient, ofClock]) writer.writeVarUint(number)
  }
  return writer.toUint8Array()
}

/** Throws ERR_BAD_MESSAGE when the bytes are none. */
export function decodeCopies(bytes: Uint8Array): CopyRun[] {
  const reader = openCopies(bytes)
  const runs: CopyRun[] = []
  for (let left = reader.varUint(); left > 0; left--) {
    const [client, clock, length] = [reader.varUint(), reader.varUint(), reader.varUint()]
    runs.push({ client, clock, length, ofClient: reader.varUint(), ofClock: reader.varUint() })
  }
  reader.end()
  return runs
}

/** All of them as one, newest last; the oldest are left out where they would be more than `bytesMax`. A new array. */
export function mergeCopies(blobs: readonly Uint8Array[], bytesMax: number): Uint8Array {
  const bodies: Uint8Array[] = []
  let [count, bytes] = [0, 0]
  for (const blob of blobs.toReversed()) {
    const reader = openCopies(blob)
    const runs = reader.varUint()
    const body = blob.subarray(reader.position)
    bytes += body.length
    if (bytes > bytesMax) break
    count += runs
    bodies.unshift(body)
  }
  const writer = new ByteWriter(bytes + 16)
  writer.writeByte(version)
  writer.writeVarUint(count)
  for (const body of bodies) writer.writeRange(body, 0, body.length)
  return writer.toUint8Array()
}

function openCopies(bytes: Uint8Array): Reader {
  const reader = new Reader(bytes)
  if (reader.varUint() !== version) throw new Fault('ERR_BAD_MESSAGE', 'copies of an unknown version')
  return reader
}
