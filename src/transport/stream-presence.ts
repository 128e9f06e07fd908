/**
 * Awareness streams of the Durable Streams dialect. The one called `default` is the presence of the room, which all dialects
 * share; there is no other.
 */
import { createHash } from 'node:crypto'
import type { Writable } from 'node:stream'
import { toFault } from '../base/errors.ts'
import { type AwarenessEntry, readAwarenessUpdate } from '../dialect/awareness-update.ts'
import {
  controlEvent,
  encoders,
  headers,
  messagesOf,
  type PresenceOffset,
  presenceOffsetOf,
  readPresenceOffset
} from '../dialect/durable-streams.ts'
import type { Frame } from '../dialect/frame.ts'
import type { Reply } from '../http/message.ts'
import { onceClosed } from './pouring.ts'
import type { PresenceLeases } from './presence-leases.ts'
import { liveOf, noDocument, refusal, tooLarge, tooMany, wrong } from './stream-answers.ts'
import { type Bodies, readBody } from './stream-body.ts'
import {
  cursorOf,
  EventStream,
  eventStream,
  liveHeaders,
  nextBatch,
  nothingNew,
  polled
} from './stream-live.ts'
import type { ReadParts } from './stream-readers.ts'
import { type Asked, isThere, type Visit } from './stream-visits.ts'

export type PresenceParts = ReadParts & { readonly leases: PresenceLeases; readonly bodies: Bodies }

/** Who was told something so shortly ago still shows it: clients drop what they have heard nothing of for 30 s. */
const currentMs = 20_000

const noReading = 'none'
const unknown = refusal(404, ['STREAM_NOT_FOUND', 'the only awareness stream of a document is "default"'])

/** Any request with `awareness=`. */
export async function presence(parts: PresenceParts, asked: Asked): Promise<Reply> {
  const { method, query } = asked.request
  if (query.get('awareness') !== 'default') return unknown
  if (method === 'POST') return post(parts, asked)
  if (method === 'GET') return get(parts, asked)
  return parts.visits.in(asked, async visit => {
    if (!(await isThere(visit))) return noDocument
    if (method === 'DELETE') parts.leases.remove(asked.document, visit.writer.source)
    const offset = presenceOffsetOf({ atMs: 0, reading: noReading })
    const status = method === 'DELETE' ? 204 : 200
    return { status, headers: { ...liveHeaders, [headers.nextOffset]: offset }, body: '' }
  })
}

async function post(parts: PresenceParts, asked: Asked): Promise<Reply> {
  const { visits, bodies, leases, limits } = parts
  return visits.in(asked, async visit => {
    if (!(await isThere(visit))) return noDocument
    const owedMs = visits.owedMs(visit.writer)
    if (owedMs > limits.requestWaitMsMax) return tooMany(owedMs)
    const bytes = await readBody(bodies, asked)
    if (bytes === null) return tooLarge(`a body may have ${limits.frameBytesMax} bytes`)
    if (bytes.length === 0) return refusal(400, ['INVALID_REQUEST', 'the body is empty'])
    visits.charge(visit.writer, bytes.length)
    const entries: AwarenessEntry[] = []
    for (const states of messagesOf(bytes)) entries.push(...readAwarenessUpdate(states, limits))
    if (entries.length > limits.awarenessClientsMax) throw wrong('more states than one client may have')
    for (const entry of entries) await leases.post(asked, visit, entry)
    const offset = presenceOffsetOf({ atMs: parts.time.wallMs(), reading: noReading })
    return { status: 204, headers: { ...liveHeaders, [headers.nextOffset]: offset }, body: '' }
  })
}

async function get(parts: PresenceParts, asked: Asked): Promise<Reply> {
  const { query, isHead } = asked.request
  const offset = readPresenceOffset(query.get('offset'))
  if (offset === 'malformed') throw wrong('offset is none that this server has given out')
  const live = isHead ? null : liveOf(query.get('live'))
  const encoder = live === 'sse' ? encoders.presenceSse : encoders.presencePoll
  const visit = await parts.visits.enter(asked, encoder)
  let over = () => visit.seat.leave()
  try {
    const isStored = await visit.port.unlessOver(isThere(visit))
    if (!isStored || live === null) {
      over()
      return isStored ? polled(cursorOf(parts, null), anew(), []) : noDocument
    }
    over = parts.readers.enter(visit)
    if (live === 'sse') {
      return eventStream(response => {
        onceClosed(response, over)
        new PresenceStream(response, visit, parts).begin(offset)
      })
    }
    const reply = await poll(parts, visit, offset)
    over()
    return reply
  } catch (error) {
    over()
    throw error
  }
}

function anew(): string {
  return presenceOffsetOf({ atMs: 0, reading: noReading })
}

function knowledge({ time }: ReadParts, offset: PresenceOffset | null): 'current' | 'anything' {
  const agoMs = offset === null ? Number.POSITIVE_INFINITY : time.wallMs() - offset.atMs
  return agoMs >= 0 && agoMs < currentMs ? 'current' : 'anything'
}

/**
 * A poll is sent all states at first. What it has heard already is told by their digest in its offset, and then it waits for
 * something else.
 */
async function poll(parts: PresenceParts, visit: Visit, offset: PresenceOffset | null): Promise<Reply> {
  const offsetNow = (reading: string) => presenceOffsetOf({ atMs: parts.time.wallMs(), reading })
  let isFirst = true
  for (;;) {
    const news = nextBatch(parts, visit)
    if (isFirst) visit.room.showPresence(visit.member, knowledge(parts, offset))
    const chunks = await news
    if (chunks === null) return nothingNew(parts, visit, offsetNow(offset?.reading ?? noReading))
    const reading = isFirst ? digestOf(chunks) : noReading
    if (!isFirst || reading !== offset?.reading) {
      const cursor = cursorOf(parts, visit.request.query.get('cursor'))
      return polled(cursor, offsetNow(reading), chunks)
    }
    isFirst = false
  }
}

function digestOf(chunks: Frame): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('base64url').slice(0, 16)
}

class PresenceStream {
  readonly #visit: Visit
  readonly #parts: PresenceParts
  readonly #stream: EventStream

  constructor(response: Writable, visit: Visit, parts: PresenceParts) {
    this.#visit = visit
    this.#parts = parts
    this.#stream = new EventStream(response, visit, parts, () => this.#control())
  }

  begin(offset: PresenceOffset | null): void {
    this.#stream.receive(frame => this.#stream.write(Buffer.concat([...frame, this.#control()])))
    // Something at once, so that whoever stands between passes the answer on.
    this.#stream.write(this.#control())
    try {
      this.#visit.room.showPresence(this.#visit.member, knowledge(this.#parts, offset))
    } catch (error) {
      this.#visit.port.end(toFault(error))
    }
  }

  #control(): Uint8Array {
    const offset = presenceOffsetOf({ atMs: this.#parts.time.wallMs(), reading: noReading })
    return controlEvent({ offset, cursor: cursorOf(this.#parts, null), isUpToDate: true })
  }
}
