/**
 * The awareness update of y-protocols, the same in every dialect:
 * `varUint n, n × (varUint clientID, varUint clock, varString JSON)`, where the JSON `null` means gone.
 * States stay bytes: they are relayed, compared and counted, and parsed only to be refused.
 */
import { Fault } from '../base/errors.ts'
import { isDeeper } from '../base/json.ts'
import { Reader } from '../base/reader.ts'

/** `state` is UTF-8 JSON; when read, a view of the received message. */
export type AwarenessEntry = { readonly clientID: number; readonly clock: number; readonly state: Uint8Array }

type Bounds = {
  readonly awarenessEntriesMax: number
  readonly awarenessStateBytesMax: number
  readonly jsonDepthMax: number
}

/** Throws ERR_BAD_MESSAGE when the bytes are no awareness update or beyond a bound. No JSON is parsed. */
export function readAwarenessUpdate(bytes: Uint8Array, bounds: Bounds): AwarenessEntry[] {
  const reader = new Reader(bytes)
  const count = reader.varUint()
  if (count > bounds.awarenessEntriesMax) throw new Fault('ERR_BAD_MESSAGE', `${count} awareness entries`)
  const entries: AwarenessEntry[] = []
  for (let i = 0; i < count; i++) {
    const entry = { clientID: reader.varUint(), clock: reader.varUint(), state: reader.byteArray() }
    entries.push(entry)
  }
  reader.end()
  return entries
}

/** Throws ERR_BAD_MESSAGE when an entry's state is too large, too deep, not UTF-8 or not JSON. */
export function checkState(state: Uint8Array, bounds: Bounds): void {
  checkStateSize(state, bounds)
  if (isDeeper(state, bounds.jsonDepthMax)) throw new Fault('ERR_BAD_MESSAGE', 'a deep awareness state')
  try {
    JSON.parse(utf8.decode(state))
  } catch (cause) {
    throw new Fault('ERR_BAD_MESSAGE', 'an awareness state that is not JSON', { cause })
  }
}

/** The same of its size alone. JSON that is written anew may be longer than it came: 1e20 has 21 digits. */
export function checkStateSize(state: Uint8Array, bounds: Bounds): void {
  if (state.length > bounds.awarenessStateBytesMax) {
    throw new Fault('ERR_BAD_MESSAGE', `an awareness state of ${state.length} bytes`)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The JSON `null`. */
export const nullState: Uint8Array = Uint8Array.of(0x6e, 0x75, 0x6c, 0x6c)

export function isNullState(state: Uint8Array): boolean {
  return areBytesEqual(state, nullState)
}

export function areBytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}

export function writeAwarenessUpdate(entries: readonly AwarenessEntry[]): Uint8Array {
  let bytesMax = 10
  for (const entry of entries) bytesMax += 30 + entry.state.length
  const bytes = Buffer.allocUnsafe(bytesMax)
  let position = writeVarUint(bytes, 0, entries.length)
  for (const { clientID, clock, state } of entries) {
    position = writeVarUint(bytes, position, clientID)
    position = writeVarUint(bytes, position, clock)
    position = writeVarUint(bytes, position, state.length)
    bytes.set(state, position)
    position += state.length
  }
  return bytes.subarray(0, position)
}

function writeVarUint(bytes: Uint8Array, start: number, value: number): number {
  let position = start
  let rest = value
  while (rest > 0x7f) {
    bytes[position++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  bytes[position++] = rest
  return position
}
