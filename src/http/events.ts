/**
 * The route on which a document is watched, with EventSource or anything that reads lines. Each reader has a seat like a
 * connection: it is counted, its rights are looked at again, and it can be closed.
 */
import { z } from 'zod'
import type { Visitor } from '../access/grant.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { EventReader } from '../documents/event-reader.ts'
import { isDeleted } from '../documents/remote-documents.ts'
import { readerEncoder, type View } from '../documents/view.ts'
import type { ViewTypes } from '../documents/view-thread.ts'
import type { Views } from '../documents/views.ts'
import { SilentPort } from '../room/silent-port.ts'
import type { Seat, SeatParts } from '../transport/seat.ts'
import type { Askers } from './askers.ts'
import { documentPath, group, readFaults } from './documents.ts'
import { rootTypes } from './history-query.ts'
import type { Reply, Request, Sink } from './message.ts'
import { type Route, route } from './route.ts'
import { wrong } from './router.ts'
import { document } from './schemas.ts'

type Parts = {
  readonly seatAt: (visitor: Visitor, document: string) => Seat
  readonly seats: Pick<SeatParts, 'addresses'>
  readonly views: Views
  readonly askers: Askers
  readonly limits: Limits
}

const stream =
  'Events: first `document` with the root types, then `change` for each change of them, `version` when others have changed, ' +
  '`presence` if it was asked for. The id is the version.'

const bufferHeader = { 'x-accel-buffering': '`no`: a proxy is to keep nothing back.' }

export function eventsOf(parts: Parts): Route {
  const readers = { count: 0 }
  return route({
    method: 'GET',
    path: `${documentPath}/events`,
    id: 'watchDocument',
    group,
    says: 'Tells of a document and of each change, as it becomes durable.',
    more:
      'For `EventSource`. `change` has `changes`, each with `type` (the root), `path` (to what has changed in it), and ' +
      '`delta` of a text or list, `keys` of a map, or `value` of XML. After a cut `Last-Event-ID` goes on where it was: ' +
      'with what was missed, or with `document` anew.',
    who: 'read',
    asksItself: true,
    parameters: { document },
    query: {
      types: rootTypes,
      presence: z
        .enum(['true', 'false'], 'must be true or false')
        .optional()
        .meta({ description: 'Tell who is there.' }),
      lastEventId: z.string().optional().meta({ description: 'As the header, for who cannot set it.' })
    },
    headers: {
      'last-event-id': z.string().optional().meta({ description: 'The id of the last event that came.' })
    },
    answers: {
      200: {
        says: 'What there is, then what changes.',
        content: { 'text/event-stream': stream },
        headers: bufferHeader
      }
    },
    faults: [...readFaults, 'ERR_ANSWER_TOO_LARGE', 'ERR_LOAD'],
    reply: async ({ request, parameters, query, headers }) => {
      const { types = null } = query
      if (types === null) throw wrong('types says what is watched, like types=body:text,meta:map')
      if (readers.count >= parts.limits.eventReadersMax) throw new Fault('ERR_OVERLOADED', 'too many readers')
      const watcher = new Watcher(parts, request, readers)
      try {
        await watcher.enter(parameters.document, types)
      } catch (error) {
        watcher.closed()
        throw error
      }
      const lastEventId = headers['last-event-id'] ?? query.lastEventId ?? null
      return replyOf(watcher, { wantsPresence: query.presence === 'true', lastEventId })
    }
  })
}

type Wish = { readonly wantsPresence: boolean; readonly lastEventId: string | null }

function replyOf(watcher: Watcher, wish: Wish): Reply {
  return {
    status: 200,
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Nginx keeps nothing back.
      'x-accel-buffering': 'no'
    },
    body: { opened: sink => watcher.opened(sink, wish), closed: () => watcher.closed() }
  }
}

/** Between so many and twice as many ms after a cut readers come back: not all at once. */
const retryMs = 1_000

let watchers = 0

/** One reader from its request to its end. */
class Watcher extends SilentPort {
  readonly id = `events-${++watchers}`
  readonly #parts: Parts
  readonly #readers: { count: number }
  readonly #address: string
  #request: Request | null
  #seat: Seat | null = null
  #view: View | null = null
  #reader: EventReader | null = null
  #isOver = false
  #isLeft = false

  /** Throws ERR_OVERLOADED for an address that has too many connections. */
  constructor(parts: Parts, request: Request, readers: { count: number }) {
    super()
    this.#parts = parts
    this.#request = request
    this.#readers = readers
    this.#address = request.visitor().address
    parts.seats.addresses.connected(this.#address)
    readers.count++
  }

  /** Rejects as `Seat.admit` and `open`, and as `Views.of`. */
  async enter(document: string, types: ViewTypes): Promise<void> {
    const { seatAt, askers, views } = this.#parts
    const request = this.#request
    if (request === null) return
    const seat = seatAt(request.visitor(), document)
    this.#seat = seat
    if (askers.operator(request) === null) {
      const holder = { granted: () => seat.regrant(), expires: () => {}, refused: () => this.end() }
      await seat.admit({ token: null, dialect: 'http' }, this.id, holder)
    }
    // Its headers are the largest part of a reader.
    this.#request = null
    const room = await seat.open()
    if (this.#isOver) return
    if (isDeleted(room)) throw new Fault('ERR_DELETED')
    seat.enter(room, this, readerEncoder)
    this.#view = views.of(room, types)
  }

  opened(sink: Sink, { wantsPresence, lastEventId }: Wish): void {
    if (this.#isOver || this.#view === null) return sink.end()
    const reader = new EventReader(sink, wantsPresence, this.#parts.limits)
    this.#reader = reader
    reader.send(Buffer.from(`retry: ${Math.round(retryMs * (1 + Math.random()))}\n\n`))
    void this.#view.join(reader, lastEventId)
  }

  /** Nothing of it is left. */
  closed(): void {
    if (this.#isLeft) return
    this.#isLeft = true
    this.#readers.count--
    this.#parts.seats.addresses.disconnected(this.#address)
    this.end()
    if (this.#reader !== null) this.#view?.leave(this.#reader)
    this.#seat?.leave()
    this.#seat = null
    this.#view = null
    this.#reader = null
  }

  /** Its room has ended, or its rights. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#reader?.end()
  }
}
