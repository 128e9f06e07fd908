/**
 * Calls that one node was asked for and that concern the clients of every node. They are told over the bus, which may lose
 * and repeat them: what must not be lost stands in the store as well, and hearing one again does no harm.
 *
 *   call      := 01, named, [varString user], [varString document]      rights have changed: look into the store
 *              | 02, varString document, varString payload              a stateless message
 *              | 03, named, [varString user], [varString document], [varString connection], [varString reason]
 *                                                                       connections are to end
 *              | 04, varUint number, varUint index, varUint count, part  of one that is longer: 02 without its first byte
 *   named     := bits: 1 user, 2 document, 4 connection, 8 reason
 */
import type { SealedBus } from '../../bus/index.ts'
import { Fault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Reader } from '../base/reader.ts'
import { ByteWriter } from '../document/byte-writer.ts'
import { type MessagePart, MessageParts, partsOf } from './message-parts.ts'

/** Whose rights; without both: everybody's. */
export type Whom = { readonly user?: string; readonly document?: string }

/** Whose connections are to end: at least one of user, document and connection; and what they are told. */
export type Disconnection = Whom & { readonly connection?: string; readonly reason?: string }

/** What another node's call does here. */
export type CallHandlers = {
  /** Several calls may come as one. */
  readonly rightsChanged: (whoms: readonly Whom[]) => Promise<void>
  readonly stateless: (document: string, payload: string) => void
  readonly disconnect: (disconnection: Disconnection) => void
}

type Parts = { readonly bus: SealedBus; readonly log: Log }

const topic = 'calls'
const kinds = { rightsChanged: 1, stateless: 2, disconnect: 3, statelessPart: 4 } as const
const named = { user: 1, document: 2, connection: 4, reason: 8 } as const
/** In the order of their texts. */
const fields = ['user', 'document', 'connection', 'reason'] as const

/** Calls about rights that wait while one is carried out. Above: they become one, about everybody. */
const waitingMax = 1_000

/** Kind and numbers before a part. */
const partHeadBytesMax = 32

export class Calls {
  readonly #parts: Parts
  readonly #handlers: CallHandlers
  readonly #unsubscribe: () => void
  /** Heard, and not begun yet. */
  #waiting: Whom[] = []
  readonly #parted = new MessageParts()
  #numbers = 0
  #isBusy = false
  #isClosed = false

  constructor(parts: Parts, handlers: CallHandlers) {
    this.#parts = parts
    this.#handlers = handlers
    this.#unsubscribe = parts.bus.subscribe(topic, ({ from, bytes }) => this.#heard(from, bytes))
  }

  /** Tells the others. Never throws. */
  rightsChanged(whom: Whom): void {
    this.#publishNamed(kinds.rightsChanged, whom)
  }

  /** Tells the others. Never throws. */
  disconnect(disconnection: Disconnection): void {
    this.#publishNamed(kinds.disconnect, disconnection)
  }

  #publishNamed(kind: number, naming: Disconnection): void {
    const writer = new ByteWriter(64)
    const present = fields.filter(field => naming[field] !== undefined)
    writer.writeByte(kind)
    writer.writeByte(present.reduce((bits, field) => bits + named[field], 0))
    for (const field of present) writer.writeString(naming[field] ?? '')
    this.#parts.bus.publish(topic, writer.finish())
  }

  /** Tells the others. Never throws. What is longer than the bus takes goes in parts. */
  stateless(document: string, payload: string): void {
    const { bus } = this.#parts
    const writer = new ByteWriter(64 + payload.length)
    writer.writeString(document)
    writer.writeString(payload)
    const bytes = writer.finish()
    if (bytes.length < bus.payloadBytesMax) return void bus.publish(topic, withKind(kinds.stateless, bytes))
    for (const part of partsOf(++this.#numbers, bytes, bus.payloadBytesMax - partHeadBytesMax)) {
      bus.publish(topic, writePart(part))
    }
  }

  close(): void {
    this.#isClosed = true
    this.#unsubscribe()
  }

  #heard(from: string, bytes: Uint8Array): void {
    try {
      this.#carryOut(from, bytes)
    } catch (error) {
      this.#parts.log.warn({ error }, 'another node sent a call that cannot be read')
    }
  }

  #carryOut(from: string, bytes: Uint8Array): void {
    const reader = new Reader(bytes)
    switch (reader.varUint()) {
      case kinds.rightsChanged:
        return this.#rightsChanged(readNamed(reader, named.user + named.document))
      case kinds.stateless:
        return this.#handlers.stateless(reader.string(), reader.string())
      case kinds.disconnect:
        return this.#handlers.disconnect(readDisconnection(reader))
      case kinds.statelessPart: {
        const whole = this.#parted.take(from, readPart(reader, bytes))
        if (whole === null) return
        const message = new Reader(whole)
        return this.#handlers.stateless(message.string(), message.string())
      }
      default:
      // Of a later version.
    }
  }

  #rightsChanged(whom: Whom): void {
    this.#waiting.push(whom)
    if (this.#waiting.length > waitingMax) this.#waiting = [{}]
    if (!this.#isBusy) void this.#handOver()
  }

  /** Never rejects. */
  async #handOver(): Promise<void> {
    this.#isBusy = true
    while (this.#waiting.length > 0 && !this.#isClosed) {
      const whoms = this.#waiting
      this.#waiting = []
      try {
        await this.#handlers.rightsChanged(whoms)
      } catch (error) {
        this.#parts.log.warn(
          { error },
          'rights that were changed on another node could not be read; tried again'
        )
      }
    }
    this.#isBusy = false
  }
}

/** Throws ERR_BAD_MESSAGE, also when nobody is named: that is not everybody. */
function readDisconnection(reader: Reader): Disconnection {
  const disconnection = readNamed(reader, named.user + named.document + named.connection + named.reason)
  const { user, document, connection } = disconnection
  if ((user ?? document ?? connection) === undefined)
    throw new Fault('ERR_BAD_MESSAGE', 'a call that names nobody')
  return disconnection
}

/** `bitsMax`: all that the call may name. Throws ERR_BAD_MESSAGE. */
function readNamed(reader: Reader, bitsMax: number): Disconnection {
  const bits = reader.varUint()
  if (bits > bitsMax) throw new Fault('ERR_BAD_MESSAGE', 'a call that names something unknown')
  const present = fields.filter(field => (bits & named[field]) !== 0)
  return Object.fromEntries(present.map(field => [field, reader.string()]))
}

function withKind(kind: number, bytes: Uint8Array): Uint8Array {
  const writer = new ByteWriter(1 + bytes.length)
  writer.writeByte(kind)
  writer.writeRange(bytes, 0, bytes.length)
  return writer.finish()
}

function writePart({ number, index, count, bytes }: MessagePart): Uint8Array {
  const writer = new ByteWriter(partHeadBytesMax + bytes.length)
  writer.writeByte(kinds.statelessPart)
  for (const value of [number, index, count]) writer.writeVarUint(value)
  writer.writeRange(bytes, 0, bytes.length)
  return writer.finish()
}

/** Throws ERR_BAD_MESSAGE. */
function readPart(reader: Reader, bytes: Uint8Array): MessagePart {
  const [number, index, count] = [reader.varUint(), reader.varUint(), reader.varUint()]
  return { number, index, count, bytes: bytes.subarray(reader.position) }
}
