/**
 * How a request of the Durable Streams dialect comes to its document: who asks is charged and admitted, the room is opened,
 * and the request is a member of it until it is answered. Requests of one user are told apart by nothing, so all of theirs
 * are charged together, and named as one in what they write.
 */
import { randomBytes } from 'node:crypto'
import { sourceOf, type Visitor } from '../access/grant.ts'
import { Budget, freeMs, type Rates, workRates } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import { encoders } from '../dialect/durable-streams.ts'
import type { Encoder } from '../dialect/message.ts'
import type { Request } from '../http/message.ts'
import type { Member } from '../room/member.ts'
import { overRestarts } from '../room/over-restarts.ts'
import type { Room } from '../room/room.ts'
import { connectionRates } from './debt.ts'
import { Seat, type SeatParts } from './seat.ts'
import { StreamPort } from './stream-port.ts'

type Parts = { readonly seats: SeatParts; readonly time: Time; readonly limits: Limits }

/** Whoever asks, across requests: what it has sent is charged here. */
export type Writer = {
  readonly id: string
  readonly source: string
  readonly sent: Budget
  readonly work: Budget
}

export type Visit = {
  readonly request: Request
  readonly document: string
  readonly visitor: Visitor
  readonly writer: Writer
  readonly seat: Seat
  readonly port: StreamPort
  readonly room: Room
  readonly member: Member
}

/** What a request asks for. */
export type Asked = { readonly request: Request; readonly document: string; readonly visitor: Visitor }

export class StreamVisits {
  readonly #parts: Parts
  readonly #rates: { readonly sent: Rates; readonly work: Rates }
  /** By source, the least recently seen first. Bounded by `streamWritersMax`. */
  readonly #writers = new Map<string, Writer>()
  /** Names differ between runs of the server: they are stored with authors, and hold no address. */
  readonly #run = randomBytes(6).toString('base64url')
  #count = 0

  constructor(parts: Parts) {
    this.#parts = parts
    this.#rates = { sent: connectionRates(parts.limits), work: workRates(parts.limits) }
  }

  /**
   * What the visit comes to, in the room of the document; again in a new one if that restarts meanwhile. Rejects with a Fault.
   * It is left when that is settled, unless somebody keeps it.
   */
  in<T>(asked: Asked, use: (visit: Visit) => Promise<T>): Promise<T> {
    const open = () => this.enter(asked, encoders.writer)
    return overRestarts(open, async visit => {
      try {
        return await visit.port.unlessOver(use(visit))
      } finally {
        visit.seat.leave()
      }
    })
  }

  /** The same, and whoever asked has to leave the seat. */
  async enter({ request, document, visitor }: Asked, encoder: Encoder): Promise<Visit> {
    const { seats, time } = this.#parts
    const seat = new Seat(seats, visitor, document)
    let writer: Writer | null = null
    const spent = (spentMs: number) => void writer?.work.take(spentMs, time.nowMs())
    try {
      const name = `${this.#run}-h${++this.#count}`
      const port = new StreamPort(name, spent)
      await seat.admit({ token: null, dialect: 'durable-streams' }, name, port)
      writer = this.#writerOf(sourceOf(seat.user, visitor.address))
      port.id = writer.id
      const room = await seat.open()
      const member = seat.enter(room, port, encoder)
      port.onGranted = () => seat.regrant()
      return { request, document, visitor, writer, seat, port, room, member }
    } catch (error) {
      seat.leave()
      throw error
    }
  }

  /** So many bytes were sent, in one message. */
  charge({ sent }: Writer, bytes: number): void {
    sent.take(bytes, this.#parts.time.nowMs())
  }

  /** A message took so long. */
  spend({ work }: Writer, spentMs: number): void {
    const { time, limits } = this.#parts
    if (spentMs > freeMs) work.take(Math.min(spentMs, limits.workMsBurstMax / 4), time.nowMs())
  }

  /** In how many milliseconds it owes nothing any more. */
  owedMs({ sent, work }: Writer): number {
    const nowMs = this.#parts.time.nowMs()
    return Math.max(sent.owedMs(nowMs), work.owedMs(nowMs))
  }

  #writerOf(source: string): Writer {
    const nowMs = this.#parts.time.nowMs()
    const writer = this.#writers.get(source) ?? {
      id: `${this.#run}-w${++this.#count}`,
      source,
      sent: new Budget(this.#rates.sent, nowMs),
      work: new Budget(this.#rates.work, nowMs)
    }
    this.#writers.delete(source)
    this.#writers.set(source, writer)
    for (const oldest of this.#writers.keys()) {
      if (this.#writers.size <= this.#parts.limits.streamWritersMax) break
      this.#writers.delete(oldest)
    }
    return writer
  }
}

/** Resolves when there is such a document here, to whether there is: another node may have begun it. */
export async function isThere({ room }: Pick<Visit, 'room'>): Promise<boolean> {
  if (room.log.isStored) return true
  await room.log.upToDate()
  return room.log.isStored
}
