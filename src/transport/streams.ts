/**
 * The Durable Streams dialect over HTTP: `/v1/yjs/<anything>/docs/<document>`. Each request is admitted, and put to the room
 * that the document's other clients are in. Rules DS1–DS18 of PROTOCOL.md.
 */
import type { Gate } from '../access/gate.ts'
import { toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Time } from '../base/time.ts'
import type { Handler, Reply, Request } from '../http/message.ts'
import { documentOfPath } from './path.ts'
import { PresenceLeases } from './presence-leases.ts'
import { Producers } from './producers.ts'
import type { SeatParts } from './seat.ts'
import { noDocument, otherMethod, readable, refusal, refusalOf } from './stream-answers.ts'
import { type PresenceParts, presence } from './stream-presence.ts'
import { StreamReaders } from './stream-readers.ts'
import { get } from './stream-reads.ts'
import { type Asked, StreamVisits } from './stream-visits.ts'
import { post, put } from './stream-writes.ts'
import type { Shares } from './unfinished.ts'

type Parts = SeatParts & {
  readonly gate: Gate
  readonly shares: Shares
  /** Whether the header Authorization has the operator's token. */
  readonly isOperator: (authorization: string | undefined) => boolean
  /** Other nodes may have taken what a producer sent before. */
  readonly isShared: boolean
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

/** The first `/docs/` ends the address of the service; what follows is the document's name. */
const pathForm = /^(\/v1\/yjs\/.+?\/docs)\/./

export class Streams {
  readonly #parts: Parts
  /** What all requests have in common. */
  readonly #shared: PresenceParts & Parameters<typeof post>[0]

  constructor(parts: Parts) {
    this.#parts = parts
    const { addresses, shares, time, limits, isShared } = parts
    const visits = new StreamVisits({ seats: parts, time, limits })
    this.#shared = {
      visits,
      producers: new Producers({ producersMax: limits.producersMax, isShared }),
      readers: new StreamReaders(parts),
      leases: new PresenceLeases({ visits, time, limits }),
      bodies: { shares, limits },
      addresses,
      time,
      limits
    }
  }

  /** Null: the path is none of this dialect. */
  readonly handler: Handler = request => {
    const prefix = pathForm.exec(request.path)?.[1]
    return prefix === undefined ? null : this.#answer(request, documentOfPath(request.path, prefix))
  }

  /** Ends whoever reads, and what was posted of people; nobody reads for long from now on. */
  drain(): void {
    this.#shared.readers.drain()
    this.#shared.leases.close()
  }

  async #answer(request: Request, document: string): Promise<Reply> {
    const visitor = request.visitor()
    const asked = { request, document, visitor }
    const reply = await this.#ask(asked).catch((error: unknown) => {
      const fault = toFault(error)
      const { metrics, log } = this.#parts
      metrics.refused(fault.code)
      if (fault.code === 'ERR_INTERNAL')
        log.error({ error: fault.cause, document }, 'a stream request failed')
      return refusalOf(fault)
    })
    return readable(reply, request, { visitor, gate: this.#parts.gate })
  }

  async #ask(asked: Asked): Promise<Reply> {
    const { method, query } = asked.request
    const shared = this.#shared
    switch (method) {
      case 'GET':
        return query.has('awareness') ? presence(shared, asked) : get(shared, asked)
      case 'PUT':
        return query.has('awareness') ? presence(shared, asked) : put(shared, asked)
      case 'POST':
        return query.has('awareness') ? presence(shared, asked) : post(shared, asked)
      case 'DELETE':
        return query.has('awareness') ? presence(shared, asked) : this.#delete(asked)
      default:
        return otherMethod(asked.request)
    }
  }

  /** It takes the document from everybody, for which no grant gives a right. */
  async #delete({ request, document }: Asked): Promise<Reply> {
    const { rooms, isOperator } = this.#parts
    if (!isOperator(request.header('authorization'))) {
      return refusal(403, ['FORBIDDEN', 'only whoever runs the server deletes documents'])
    }
    rooms.checkName(document)
    return (await rooms.delete(document)) ? { status: 204, headers: {}, body: '' } : noDocument
  }
}
