/**
 * Calls that one node was asked for and that concern the clients of every node. They are told over the bus, which may lose
 * and repeat them: what must not be lost stands in the store as well, and hearing one again does no harm.
 *
 *   call      := 01, named, [varString user], [varString document]      rights have changed: look into the store
 *              | 02, varString document, varString payload              a stateless message
 *   named     := bits: 1 user, 2 document
 */
import type { SealedBus } from '../../bus/index.ts'
import { Fault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Reader } from '../base/reader.ts'
import { ByteWriter } from '../document/byte-writer.ts'

/** Whose rights; without both: everybody's. */
export type Whom = { readonly user?: string; readonly document?: string }

/** What another node's call does here. */
export type CallHandlers = {
  /** Several calls may come as one. */
  readonly rightsChanged: (whoms: readonly Whom[]) => Promise<void>
  readonly stateless: (document: string, payload: string) => void
}

type Parts = { readonly bus: SealedBus; readonly log: Log }

const topic = 'calls'
const kinds = { rightsChanged: 1, stateless: 2 } as const
const named = { user: 1, document: 2 } as const

/** Calls about rights that wait while one is carried out. Above: they become one, about everybody. */
const waitingMax = 1_000

export class Calls {
  readonly #parts: Parts
  readonly #handlers: CallHandlers
  readonly #unsubscribe: () => void
  /** Heard, and not begun yet. */
  #waiting: Whom[] = []
  #isBusy = false
  #isClosed = false

  constructor(parts: Parts, handlers: CallHandlers) {
    this.#parts = parts
    this.#handlers = handlers
    this.#unsubscribe = parts.bus.subscribe(topic, ({ bytes }) => this.#heard(bytes))
  }

  /** Tells the others. Never throws. */
  rightsChanged({ user, document }: Whom): void {
    const writer = new ByteWriter(64)
    writer.writeByte(kinds.rightsChanged)
    writer.writeByte((user === undefined ? 0 : named.user) + (document === undefined ? 0 : named.document))
    if (user !== undefined) writer.writeString(user)
    if (document !== undefined) writer.writeString(document)
    this.#parts.bus.publish(topic, writer.finish())
  }

  /** Tells the others. Never throws; what is longer than the bus takes is dropped and counted by it. */
  stateless(document: string, payload: string): void {
    const writer = new ByteWriter(64 + payload.length)
    writer.writeByte(kinds.stateless)
    writer.writeString(document)
    writer.writeString(payload)
    this.#parts.bus.publish(topic, writer.finish())
  }

  close(): void {
    this.#isClosed = true
    this.#unsubscribe()
  }

  #heard(bytes: Uint8Array): void {
    try {
      this.#carryOut(new Reader(bytes))
    } catch (error) {
      this.#parts.log.warn({ error }, 'another node sent a call that cannot be read')
    }
  }

  #carryOut(reader: Reader): void {
    switch (reader.varUint()) {
      case kinds.rightsChanged:
        return this.#rightsChanged(readWhom(reader))
      case kinds.stateless:
        return this.#handlers.stateless(reader.string(), reader.string())
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

/** Throws ERR_BAD_MESSAGE. */
function readWhom(reader: Reader): Whom {
  const who = reader.varUint()
  if (who > named.user + named.document)
    throw new Fault('ERR_BAD_MESSAGE', 'a call that names something unknown')
  const user = (who & named.user) === 0 ? {} : { user: reader.string() }
  const document = (who & named.document) === 0 ? {} : { document: reader.string() }
  return { ...user, ...document }
}
