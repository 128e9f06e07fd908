/**
 * What rooms tell each other of presence, as bytes. The bus may lose, repeat and reorder messages; each says all that it
 * takes to use it.
 *
 *   message := type, varUint epoch, rest
 *   states  := 10, …, varUint since, varUint upto, varString incarnation, varUint sequence, n × state
 *   state   := varUint number, varUint clientID, varUint clock, varUint claimedAtMs, varUint ageMs, varByteArray JSON
 *   ask     := 11, …, varString node (empty: all), varUint since
 *   raise   := 12, …, varString node, n × (varUint clientID, varUint clock)
 *   claim   := 13, …, varString node, varUint question, varUint clientID
 *   answer  := 14, …, varString node, varUint question, outcome u8 (0 mine, 1 yours), varUint clock + 1
 *   left    := 15, …
 *   departed := 16, …, varString node, n × (varUint clientID, varUint clock, varUint ageMs)
 *
 * The incarnation is empty where the document is not stored. Types are hexadecimal; notices of the log have others.
 */
import { Fault } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import { checkState, isNullState, nullState } from '../dialect/awareness-update.ts'
import { ByteWriter } from '../document/byte-writer.ts'
import type { PresenceMessage, ToldState, ToldStates } from '../room/presence-line.ts'

const types = {
  states: 0x10,
  ask: 0x11,
  raise: 0x12,
  claim: 0x13,
  answer: 0x14,
  left: 0x15,
  departed: 0x16
} as const

/** Numbers, lengths and names beside the states of a message, and beside the JSON of a state: no more than this. */
const headBytesMax = 512
const stateHeadBytesMax = 48
const clockBytesMax = 24

type Bounds = {
  readonly awarenessEntriesMax: number
  readonly awarenessStateBytesMax: number
  readonly awarenessClockMax: number
  readonly jsonDepthMax: number
}

/** In as many parts as it takes. A state that fits into none is told as gone: others do not see it. */
export function writePresence(epoch: number, message: PresenceMessage, bytesMax: number): Uint8Array[] {
  switch (message.type) {
    case 'states':
      return partsOf(message, bytesMax - headBytesMax).map(part => write(epoch, part))
    case 'raise':
      return clocksOf(message, bytesMax).map(clocks => write(epoch, { ...message, clocks }))
    case 'departed':
      return clocksOf(message, bytesMax).map(clocks => write(epoch, { ...message, clocks }))
    default:
      return [write(epoch, message)]
  }
}

function partsOf({ since, upto, position, states }: ToldStates, bytesMax: number): ToldStates[] {
  const parts: ToldStates[] = []
  let part: ToldState[] = []
  let bytes = 0
  let from = since
  const close = (to: number) => {
    parts.push({ type: 'states', since: from, upto: to, position, states: part })
    from = to
    part = []
    bytes = 0
  }
  for (const told of states) {
    const fits = told.state.length + stateHeadBytesMax <= bytesMax
    const state = fits ? told : { ...told, state: nullState }
    const size = state.state.length + stateHeadBytesMax
    if (bytes + size > bytesMax) close(part.at(-1)?.number ?? from)
    part.push(state)
    bytes += size
  }
  close(upto)
  return parts
}

function clocksOf<T>({ clocks }: { readonly clocks: readonly T[] }, bytesMax: number): T[][] {
  const each = Math.max(1, Math.floor((bytesMax - headBytesMax) / clockBytesMax))
  const parts: T[][] = []
  for (let i = 0; i < clocks.length; i += each) parts.push(clocks.slice(i, i + each))
  return parts
}

function write(epoch: number, message: PresenceMessage): Uint8Array {
  const writer = new ByteWriter(256)
  writer.writeByte(types[message.type])
  writer.writeVarUint(epoch)
  switch (message.type) {
    case 'states':
      writeStates(writer, message)
      break
    case 'ask':
      writer.writeString(message.to ?? '')
      writer.writeVarUint(message.since)
      break
    case 'raise':
      writer.writeString(message.to)
      for (const { clientID, above } of message.clocks) {
        writer.writeVarUint(clientID)
        writer.writeVarUint(above)
      }
      break
    case 'claim':
      writer.writeString(message.to)
      writer.writeVarUint(message.question)
      writer.writeVarUint(message.clientID)
      break
    case 'answer':
      writer.writeString(message.to)
      writer.writeVarUint(message.question)
      writer.writeByte(message.outcome === 'mine' ? 0 : 1)
      writer.writeVarUint(message.clock + 1)
      break
    case 'departed':
      writer.writeString(message.to)
      for (const { clientID, clock, ageMs } of message.clocks) {
        writer.writeVarUint(clientID)
        writer.writeVarUint(clock)
        writer.writeVarUint(Math.floor(ageMs))
      }
      break
    case 'left':
      break
    default:
      message satisfies never
  }
  return writer.toUint8Array()
}

function writeStates(writer: ByteWriter, { since, upto, position, states }: ToldStates): void {
  writer.writeVarUint(since)
  writer.writeVarUint(upto)
  writer.writeString(position.incarnation ?? '')
  writer.writeVarUint(position.sequence)
  for (const { number, clientID, clock, claimedAtMs, ageMs, state } of states) {
    writer.writeVarUint(number)
    writer.writeVarUint(clientID)
    writer.writeVarUint(clock)
    writer.writeVarUint(claimedAtMs)
    writer.writeVarUint(Math.floor(ageMs))
    writer.writeVarUint(state.length)
    writer.writeRange(state, 0, state.length)
  }
}

/** Null: it is not about presence, or of a later version. States are copies. Throws ERR_BAD_MESSAGE when it is none. */
export function readPresence(
  bytes: Uint8Array,
  bounds: Bounds
): { epoch: number; message: PresenceMessage } | null {
  const reader = new Reader(bytes)
  const type = reader.varUint()
  if (type < types.states || type > types.departed) return null
  const epoch = reader.varUint()
  const message = messageOf(type, reader, bounds)
  reader.end()
  return { epoch, message }
}

function messageOf(type: number, reader: Reader, bounds: Bounds): PresenceMessage {
  switch (type) {
    case types.states:
      return readStates(reader, bounds)
    case types.ask: {
      const to = reader.string()
      return { type: 'ask', to: to === '' ? null : to, since: reader.varUint() }
    }
    case types.raise: {
      const to = reader.string()
      const clocks = []
      while (!reader.isAtEnd) clocks.push({ clientID: reader.varUint(), above: readClock(reader, bounds) })
      return { type: 'raise', to, clocks }
    }
    case types.claim:
      return { type: 'claim', to: reader.string(), question: reader.varUint(), clientID: reader.varUint() }
    case types.answer: {
      const [to, question] = [reader.string(), reader.varUint()]
      const outcome = reader.varUint() === 0 ? 'mine' : 'yours'
      return { type: 'answer', to, question, outcome, clock: readClock(reader, bounds) - 1 }
    }
    case types.departed: {
      const to = reader.string()
      const clocks = []
      while (!reader.isAtEnd) {
        const [clientID, clock] = [reader.varUint(), readClock(reader, bounds)]
        clocks.push({ clientID, clock, ageMs: reader.varUint() })
      }
      return { type: 'departed', to, clocks }
    }
    default:
      return { type: 'left' }
  }
}

function readStates(reader: Reader, bounds: Bounds): ToldStates {
  const [since, upto, incarnation] = [reader.varUint(), reader.varUint(), reader.string()]
  const position = { incarnation: incarnation === '' ? null : incarnation, sequence: reader.varUint() }
  const states: ToldState[] = []
  while (!reader.isAtEnd) states.push(readState(reader, bounds))
  if (states.length > bounds.awarenessEntriesMax) throw new Fault('ERR_BAD_MESSAGE', 'too many states')
  let before = since
  for (const { number } of states) {
    if (number <= before || number > upto) throw new Fault('ERR_BAD_MESSAGE', 'states out of order')
    before = number
  }
  return { type: 'states', since, upto, position, states }
}

function readState(reader: Reader, bounds: Bounds): ToldState {
  const [number, clientID] = [reader.varUint(), reader.varUint()]
  const clock = readClock(reader, bounds)
  const [claimedAtMs, ageMs] = [reader.varUint(), reader.varUint()]
  const state = reader.byteArray()
  if (!isNullState(state)) checkState(state, bounds)
  const kept = isNullState(state) ? nullState : state.slice()
  return { number, clientID, clock, claimedAtMs, ageMs, state: kept }
}

/** Above such clocks nothing could be published: see `awarenessClockMax`. Raised ones may be a few steps above. */
function readClock(reader: Reader, { awarenessClockMax }: Bounds): number {
  const clock = reader.varUint()
  if (clock > awarenessClockMax * 2) throw new Fault('ERR_BAD_MESSAGE', `an awareness clock of ${clock}`)
  return clock
}
