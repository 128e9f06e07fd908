/**
 * Reads of the Durable Streams dialect that wait for more: a long-poll is answered with the next batch, an event stream goes
 * on for a while. Both are members of their room that only receive.
 */
import type { Writable } from 'node:stream'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import {
  controlEvent,
  cursorAt,
  dataEvent,
  encoders,
  framed,
  headers,
  offsetOf
} from '../dialect/durable-streams.ts'
import type { Frame } from '../dialect/frame.ts'
import type { Reply } from '../http/message.ts'
import { onceClosed, Pouring } from './pouring.ts'
import { noDocument } from './stream-answers.ts'
import type { ReadParts } from './stream-readers.ts'
import { type Asked, isThere, type Visit } from './stream-visits.ts'

type From = {
  readonly offset: { readonly type: 'sequence'; readonly sequence: number } | { readonly type: 'now' }
  readonly live: 'sse' | 'long-poll'
}

export async function followUpdates(parts: ReadParts, asked: Asked, from: From): Promise<Reply> {
  const visit = await parts.visits.enter(asked, from.live === 'sse' ? encoders.sse : encoders.poll)
  let over = () => visit.seat.leave()
  try {
    if (!(await visit.port.unlessOver(isThere(visit)))) {
      over()
      return noDocument
    }
    over = parts.readers.enter(visit)
    const sequence = await begin(visit, from)
    if (from.live === 'long-poll') {
      const reply = await poll(parts, visit, sequence)
      over()
      return reply
    }
    return eventStream(response => {
      onceClosed(response, over)
      new UpdateStream(response, visit, parts).begin(sequence)
    })
  } catch (error) {
    over()
    throw error
  }
}

/** Another node may have given out what this one does not have yet. */
async function begin({ room, port }: Visit, { offset }: From): Promise<number> {
  if (offset.type === 'now') return room.log.position
  if (offset.sequence > room.log.position) await port.unlessOver(room.log.upToDate())
  return offset.sequence
}

export const liveHeaders = { 'cache-control': 'no-store' }

export function eventStream(pour: (response: Writable) => void): Reply {
  const eventHeaders = {
    ...liveHeaders,
    'content-type': 'text/event-stream',
    [headers.sseEncoding]: 'base64',
    // nginx would keep events back until it has many.
    'x-accel-buffering': 'no'
  }
  return { status: 200, headers: eventHeaders, body: pour }
}

async function poll(parts: ReadParts, visit: Visit, sequence: number): Promise<Reply> {
  const { log } = visit.room
  const at = log.after(sequence)
  if (at === null || at.position !== sequence) {
    const { updates, position } = at ?? (await visit.port.unlessOver(log.behind(sequence)))
    return batch(parts, visit, { chunks: updates.flatMap(update => framed(update)), position })
  }
  const news = nextBatch(parts, visit)
  log.follow(visit.member)
  const chunks = await news
  if (chunks === null) return nothingNew(parts, visit, offsetOf(sequence))
  return batch(parts, visit, { chunks, position: Math.max(sequence, log.shown) })
}

/** What the room sends next; null: nothing until the time is over, or the room is. Rejects with what else has ended it. */
export function nextBatch(
  { time, limits }: Pick<ReadParts, 'time' | 'limits'>,
  visit: Visit
): Promise<Frame | null> {
  const { port, request } = visit
  return new Promise((resolve, fail) => {
    const gone = request.gone()
    const cancel = time.after(lifeMs(limits), () => settle(null))
    const left = () => settle(null)
    gone.addEventListener('abort', left, { once: true })
    const settle = (chunks: Frame | null) => {
      cancel()
      gone.removeEventListener('abort', left)
      resolve(chunks)
    }
    const end = (fault: Fault) => {
      settle(null)
      if (!mayComeBack(fault)) fail(fault)
    }
    port.receiveBy({ send: settle, end })
  })
}

/** It is asked again, and finds another room or another server. */
function mayComeBack({ code }: Fault): boolean {
  return code === 'ERR_ROOM_RESTARTS' || code === 'ERR_GOING_DOWN'
}

type Batch = { readonly chunks: Frame; readonly position: number }

function batch({ time, limits }: ReadParts, { request }: Visit, { chunks, position }: Batch): Reply {
  return polled(cursorOf({ time, limits }, request.query.get('cursor')), offsetOf(position), chunks)
}

export function polled(cursor: string, offset: string, chunks: Frame): Reply {
  const state = { [headers.nextOffset]: offset, [headers.upToDate]: 'true', [headers.cursor]: cursor }
  const type = { 'content-type': 'application/octet-stream' }
  return { status: 200, headers: { ...liveHeaders, ...type, ...state }, body: Buffer.concat(chunks) }
}

export function nothingNew(
  parts: Pick<ReadParts, 'time' | 'limits'>,
  { request }: Visit,
  offset: string
): Reply {
  const cursor = cursorOf(parts, request.query.get('cursor'))
  const state = { [headers.nextOffset]: offset, [headers.upToDate]: 'true', [headers.cursor]: cursor }
  return { status: 204, headers: { ...liveHeaders, ...state }, body: '' }
}

type Clocked = { readonly time: Time; readonly limits: Limits }

export function cursorOf({ time, limits }: Clocked, echoed: string | null): string {
  return cursorAt(time.wallMs(), limits.streamCursorMs, echoed)
}

/** Those who came together, as after a restart, do not ask again together. */
export function lifeMs({ streamMs }: Limits): number {
  return streamMs * (1 - Math.random() / 6)
}

/** One that writes events: the same for updates and for presence. */
export class EventStream {
  readonly response: Writable
  readonly #visit: Visit
  readonly #limits: Limits
  readonly #cancel: Cancel

  /** `last`: what is said at its end, so that whoever comes back is known to have heard so much. */
  constructor(response: Writable, visit: Visit, { time, limits }: Clocked, last: () => Uint8Array | null) {
    this.response = response
    this.#visit = visit
    this.#limits = limits
    this.#cancel = time.after(lifeMs(limits), () => this.#end(last()))
    onceClosed(response, this.#cancel)
  }

  receive(send: (frame: Frame) => void): void {
    this.#visit.port.receiveBy({ send, end: fault => this.#ended(fault) })
  }

  /** A reader for whom too much is queued is given up: it comes back and reads on where it was. */
  write(bytes: Uint8Array): void {
    if (this.response.writableLength > this.#limits.outboxBytesMax) {
      this.#visit.port.end(new Fault('ERR_SLOW_CONSUMER', `${this.response.writableLength} bytes queued`))
    } else if (!this.response.writableEnded) {
      this.response.write(bytes)
    }
  }

  #ended({ code }: Fault): void {
    if (code === 'ERR_SLOW_CONSUMER' || code === 'ERR_NO_PROGRESS') this.response.destroy()
    else this.#end(null)
  }

  #end(last: Uint8Array | null): void {
    this.#cancel()
    if (this.response.writableEnded) return
    if (last === null) this.response.end()
    else this.response.end(last)
  }
}

class UpdateStream {
  readonly #visit: Visit
  readonly #parts: ReadParts
  readonly #stream: EventStream
  readonly #echoed: string | null
  #position = 0

  constructor(response: Writable, visit: Visit, parts: ReadParts) {
    this.#visit = visit
    this.#parts = parts
    this.#echoed = visit.request.query.get('cursor')
    this.#stream = new EventStream(response, visit, parts, () => null)
  }

  begin(sequence: number): void {
    this.#position = sequence
    this.#stream.receive(frame => this.#send(frame))
    this.#read().catch((error: unknown) => {
      // What this room has cannot be read: whoever asks again is told why.
      this.#visit.port.end(
        error instanceof Fault ? error : new Fault('ERR_STORE', 'no reading', { cause: error })
      )
    })
  }

  /** What there is, until there is nothing more: then it follows, in the same turn. */
  async #read(): Promise<void> {
    const { room, member } = this.#visit
    for (;;) {
      const reading = room.log.after(this.#position) ?? (await room.log.whole())
      if (reading.position === this.#position && reading.updates.length === 0) break
      await this.#pour(reading.updates)
      if (this.#stream.response.destroyed) return
      this.#position = reading.position
      this.#stream.write(this.#control('more'))
    }
    room.log.follow(member)
    this.#stream.write(this.#control('all'))
  }

  #pour(updates: readonly Uint8Array[]): Promise<void> {
    const pouring = new Pouring(this.#stream.response, this.#parts)
    return new Promise(resolve => {
      this.#stream.response.once('close', resolve)
      pouring.pour(eventsOf(updates), resolve)
    })
  }

  #send(frame: Frame): void {
    this.#position = Math.max(this.#position, this.#visit.room.log.shown)
    const batch = { frame, position: this.#position }
    this.#stream.write(this.#parts.readers.written(batch, () => this.#control('all')))
  }

  #control(how: 'all' | 'more'): Uint8Array {
    const cursor = cursorOf(this.#parts, this.#echoed)
    return controlEvent({ offset: offsetOf(this.#position), cursor, isUpToDate: how === 'all' })
  }
}

function* eventsOf(updates: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const update of updates) yield* dataEvent(update)
}
