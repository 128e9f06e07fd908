/** Sets of clocks as bytes, as checkpoints keep them. */
import { Fault } from '../base/errors.ts'
import { ByteWriter } from './byte-writer.ts'
import { ClockRuns } from './clocks.ts'
import { NumberInput } from './number-input.ts'
import { at } from './runs.ts'
import { itemsPerStep, type Steps } from './steps.ts'

/**
 * `runs := varUint clients, per client (varUint client, varUint runs, per run (varUint gap before it, varUint length))`
 * with clients descending: about 3 bytes a run, for checkpoint metadata.
 */
export function encodeRuns(known: ClockRuns): Uint8Array {
  const writer = new ByteWriter(16 + known.runCount * 4)
  writer.writeVarUint(known.clientCount)
  for (const client of known.clients()) {
    const runs = known.runsOf(client)
    writer.writeVarUint(client)
    writer.writeVarUint(runs.length / 2)
    let end = 0
    for (let i = 0; i < runs.length; i += 2) {
      writer.writeVarUint(at(runs, i) - end)
      end = at(runs, i + 1)
      writer.writeVarUint(end - at(runs, i))
    }
  }
  return writer.toUint8Array()
}

/** Reads what `encodeRuns` wrote, in steps. Throws ERR_BAD_MESSAGE when it is malformed. */
export function* readRuns(bytes: Uint8Array): Steps<ClockRuns> {
  const input = new NumberInput(bytes)
  const runs = new ClockRuns()
  const clients = input.next()
  let step = 0
  for (let i = 0; i < clients; i++) {
    const client = input.next()
    const count = input.next()
    let end = 0
    for (let run = 0; run < count; run++) {
      const start = end + input.next()
      const length = input.next()
      end = start + length
      if (length === 0 || end > Number.MAX_SAFE_INTEGER)
        throw new Fault('ERR_BAD_MESSAGE', 'not a run of clocks')
      runs.add(client, start, length)
      if (++step % itemsPerStep === 0) yield
    }
  }
  input.expectEnd()
  return runs
}
