/** Reads of the Durable Streams dialect that end: which snapshot there is, a snapshot, and what lies behind an offset. */
import type { Writable } from 'node:stream'
import {
  checkpointOffsetOf,
  cursorAt,
  encoders,
  framed,
  headers,
  type Offset,
  offsetOf,
  readOffset
} from '../dialect/durable-streams.ts'
import type { Reply } from '../http/message.ts'
import type { LogReading } from '../room/room-log.ts'
import { onceClosed, Pouring } from './pouring.ts'
import { liveOf, noDocument, refusal, wrong } from './stream-answers.ts'
import { followUpdates } from './stream-live.ts'
import type { ReadParts } from './stream-readers.ts'
import { type Asked, isThere, type Visit } from './stream-visits.ts'

const octets = { 'content-type': 'application/octet-stream' }
/** Whoever asked may keep it, and asks whether it still may be seen. */
const kept = { 'cache-control': 'private, no-cache', vary: 'authorization, cookie' }

/** GET and HEAD of a document. */
export async function get(parts: ReadParts, asked: Asked): Promise<Reply> {
  const { query, isHead } = asked.request
  const offset = readOffset(query.get('offset'))
  if (offset === null) throw wrong('offset is none that this server has given out')
  const live = isHead ? null : liveOf(query.get('live'))
  if (live !== null && (offset.type === 'sequence' || offset.type === 'now')) {
    return followUpdates(parts, asked, { offset, live })
  }
  const visit = await parts.visits.enter(asked, encoders.writer)
  let isKept = false
  const leave = () => visit.seat.leave()
  try {
    const reply = await visit.port.unlessOver(readOf(parts, visit, offset))
    isKept = typeof reply.body === 'function' && !isHead
    return reply
  } finally {
    if (!isKept) leave()
  }
}

async function readOf(parts: ReadParts, visit: Visit, offset: Offset): Promise<Reply> {
  const { log } = visit.room
  if (!(await isThere(visit))) return noDocument
  switch (offset.type) {
    case 'find-snapshot':
      return found(visit, log.wholeCheckpoint)
    case 'snapshot':
      return checkpoint(parts, visit, offset.sequence)
    case 'now':
      return upTo(parts, visit, { updates: [], position: log.position })
    case 'sequence':
      await log.upToDate()
      return upTo(parts, visit, await log.behind(offset.sequence))
    default:
      return offset satisfies never
  }
}

/** Tells where to read on; everything else that the request said is said again. */
function found({ request, visitor }: Visit, sequence: number | null): Reply {
  const query = new URLSearchParams(request.query)
  query.set('offset', sequence === null ? '-1' : checkpointOffsetOf(sequence))
  const location = `${visitor.url.split('?', 1)[0]}?${query}`
  return { status: 307, headers: { location, 'cache-control': 'private, max-age=5' }, body: '' }
}

async function checkpoint(parts: ReadParts, visit: Visit, sequence: number): Promise<Reply> {
  const update = await visit.room.log.checkpointAt(sequence)
  if (update === null) return refusal(404, ['SNAPSHOT_NOT_FOUND', 'there is another snapshot by now'])
  const position = { [headers.nextOffset]: offsetOf(sequence) }
  return poured(parts, visit, { headers: { ...octets, ...kept, ...position }, chunks: [update] })
}

/** All that there is behind an offset, framed. */
function upTo(parts: ReadParts, visit: Visit, { updates, position }: LogReading): Reply {
  const { time, limits } = parts
  const state = {
    [headers.nextOffset]: offsetOf(position),
    [headers.upToDate]: 'true',
    [headers.cursor]: cursorAt(time.wallMs(), limits.streamCursorMs, visit.request.query.get('cursor'))
  }
  const chunks = updates.flatMap(update => framed(update))
  return poured(parts, visit, { headers: { ...octets, ...kept, ...state }, chunks })
}

/** Up to this size a body is sent whole. */
const wholeBytesMax = 64 * 1024

type Body = { readonly headers: Readonly<Record<string, string>>; readonly chunks: readonly Uint8Array[] }

/** The visit is left when a body that is poured has been read. */
function poured({ readers, time, limits }: ReadParts, visit: Visit, body: Body): Reply {
  const { chunks } = body
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  if (bytes <= wholeBytesMax) return { status: 200, headers: body.headers, body: Buffer.concat(chunks) }
  const over = visit.request.isHead ? () => {} : readers.enter(visit)
  const pour = (response: Writable) => {
    onceClosed(response, over)
    visit.port.receiveBy({ send: () => {}, end: () => response.destroy() })
    new Pouring(response, { time, limits }).pour(chunks, () => response.end())
  }
  return { status: 200, headers: { ...body.headers, 'content-length': String(bytes) }, body: pour }
}
