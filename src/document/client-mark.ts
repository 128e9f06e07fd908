/** What says in a document that a client has been there, although nothing of it stands in it. */
import { ClockRuns } from './clocks.ts'
import type { ClockPoint } from './scan.ts'
import { UpdateBuilder } from './update-builder.ts'
import { structRef } from './update-reader.ts'

/** An update with which the client has been there: one clock of it, the next one, which is nothing and was collected. */
export function markOf({ client, clock }: ClockPoint): Uint8Array {
  const builder = new UpdateBuilder(32)
  const length = 1
  builder.beginBlock(client, clock)
  builder.body.writeByte(structRef.gc)
  builder.body.writeVarUint(length)
  builder.countStructs(1)
  return builder.finish(ClockRuns.from([{ client, clock, length }]))
}
