/** Yjs V1 state vectors: for each client the next clock, as bytes. */
import { Fault } from '../base/errors.ts'
import { ByteWriter } from './byte-writer.ts'
import { ClockRuns, descending } from './clocks.ts'
import { NumberInput } from './number-input.ts'
import { finish, itemsPerStep, type Steps } from './steps.ts'

/** Clients are sorted up to so many; for more it takes too long, and nobody who reads a vector needs it. */
const sortedClientsMax = 10_000

/** A Yjs V1 state vector, clients in descending order as Yjs writes them, unless they are very many. */
export function encodeStateVector(known: ClockRuns | ReadonlyMap<number, number>): Uint8Array {
  const isRuns = known instanceof ClockRuns
  const count = isRuns ? known.prefixCount : known.size
  const clients = isRuns ? known.clientsUnsorted() : known.keys()
  const writer = new ByteWriter(9 + count * 9)
  writer.writeVarUint(count)
  for (const client of count > sortedClientsMax ? clients : descending(clients)) {
    const clock = isRuns ? known.prefixEnd(client) : (known.get(client) ?? 0)
    // Zero is what a client that is not named has; of ClockRuns those are the clients that lack their beginning.
    if (isRuns && clock === 0) continue
    writer.writeVarUint(client)
    writer.writeVarUint(clock)
  }
  return writer.toUint8Array()
}

/**
 * Reads a Yjs V1 state vector into a new map. A client that comes twice counts with its last clock, as in Yjs.
 * Throws ERR_BAD_MESSAGE when it is malformed, when bytes are left over, or when it names more than `clientsMax`
 * clients.
 */
export function decodeStateVector(bytes: Uint8Array, limits: { clientsMax: number }): Map<number, number> {
  return finish(readStateVector(bytes, limits))
}

/** The same in slices. The bytes must not change until it is done. */
export function* readStateVector(
  bytes: Uint8Array,
  limits: { clientsMax: number }
): Steps<Map<number, number>> {
  const input = new NumberInput(bytes)
  const count = input.next()
  if (count > limits.clientsMax) throw new Fault('ERR_BAD_MESSAGE', `state vector of ${count} clients`)
  const vector = new Map<number, number>()
  for (let i = 1; i <= count; i++) {
    const client = input.next()
    vector.set(client, input.next())
    if (i % itemsPerStep === 0) yield
  }
  input.expectEnd()
  return vector
}
