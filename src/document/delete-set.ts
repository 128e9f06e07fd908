/** Yjs V1 delete sets: per client the ranges of clocks that are deleted, as bytes. */
import { ByteWriter } from './byte-writer.ts'
import { ClockRuns } from './clocks.ts'
import { at } from './runs.ts'
import type { ClockRange } from './scan.ts'

/** An update without structs, `00` and the delete set: deletions in a form that every client applies. */
export function encodeDeleteSet(deletes: ClockRuns | Iterable<ClockRange>): Uint8Array {
  const runs = deletes instanceof ClockRuns ? deletes : ClockRuns.from(deletes)
  const writer = new ByteWriter(16 + runs.runCount * 8)
  writer.writeByte(0)
  writeDeleteSet(writer, runs)
  return writer.toUint8Array()
}

/** The delete set part of an update, normalised: clients descending, ranges sorted and merged. */
export function writeDeleteSet(writer: ByteWriter, deletes: ClockRuns): void {
  writer.writeVarUint(deletes.clientCount)
  for (const client of deletes.clients()) {
    const runs = deletes.runsOf(client)
    writer.writeVarUint(client)
    writer.writeVarUint(runs.length / 2)
    for (let i = 0; i < runs.length; i += 2) {
      writer.writeVarUint(at(runs, i))
      writer.writeVarUint(at(runs, i + 1) - at(runs, i))
    }
  }
}
