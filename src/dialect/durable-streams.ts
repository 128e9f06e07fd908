/**
 * The Durable Streams dialect: a document as a log that is read and written by plain HTTP requests. Rules DS1–DS18 of
 * PROTOCOL.md. Facts: @durable-streams/client 0.2.6 and y-durable-streams 0.2.7.
 */
import { Fault } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import type { Frame } from './frame.ts'
import { silentEncoder } from './silent-encoder.ts'

/** Names of headers, as Node has them in requests. */
export const headers = {
  nextOffset: 'stream-next-offset',
  upToDate: 'stream-up-to-date',
  cursor: 'stream-cursor',
  closed: 'stream-closed',
  sseEncoding: 'stream-sse-data-encoding',
  producerId: 'producer-id',
  producerEpoch: 'producer-epoch',
  producerSeq: 'producer-seq',
  expectedSeq: 'producer-expected-seq',
  receivedSeq: 'producer-received-seq'
} as const

/** Where a read of a document begins. `sequence`: after the record of this number. `snapshot`: the checkpoint up to that record; `find-snapshot` asks which one there is. */
export type Offset =
  | { readonly type: 'sequence'; readonly sequence: number }
  | { readonly type: 'now' }
  | { readonly type: 'find-snapshot' }
  | { readonly type: 'snapshot'; readonly sequence: number }

const digits = 16
const sequenceForm = /^\d{16}$/
/** The protocol's word for a checkpoint. */
const checkpointSuffix = '_snapshot'

/** Numbers of records, so wide that they sort as texts: no number that a store gives out has more digits. */
export function offsetOf(sequence: number): string {
  return String(sequence).padStart(digits, '0')
}

export function checkpointOffsetOf(sequence: number): string {
  return `${offsetOf(sequence)}${checkpointSuffix}`
}

/** Null: it is none. */
export function readOffset(text: string | null): Offset | null {
  if (text === null || text === '-1') return { type: 'sequence', sequence: 0 }
  if (text === 'now') return { type: 'now' }
  if (text === 'snapshot') return { type: 'find-snapshot' }
  const isCheckpoint = text.endsWith(checkpointSuffix)
  const sequence = isCheckpoint ? text.slice(0, -checkpointSuffix.length) : text
  if (!sequenceForm.test(sequence) || Number(sequence) > Number.MAX_SAFE_INTEGER) return null
  return { type: isCheckpoint ? 'snapshot' : 'sequence', sequence: Number(sequence) }
}

/** The next message of a body: `varUint length, bytes`. Throws ERR_BAD_MESSAGE where it is cut short. */
export function* messagesOf(body: Uint8Array): Generator<Uint8Array> {
  const reader = new Reader(body)
  while (!reader.isAtEnd) yield reader.byteArray()
}

/** A message as it stands in a body: its length, and its bytes as they are. */
export function framed(message: Uint8Array): Frame {
  const length: number[] = []
  let rest = message.length
  while (rest > 0x7f) {
    length.push((rest % 128) | 0x80)
    rest = Math.floor(rest / 128)
  }
  length.push(rest)
  return [Uint8Array.from(length), message]
}

/** The same as an event of an event stream. */
export function dataEvent(message: Uint8Array): Frame {
  const base64 = Buffer.concat(framed(message)).toString('base64')
  return [Buffer.from(`event: data\ndata: ${base64}\n\n`, 'latin1')]
}

export type Control = { readonly offset: string; readonly cursor: string; readonly isUpToDate: boolean }

/** Says up to where the data events before it have brought a reader. */
export function controlEvent({ offset, cursor, isUpToDate }: Control): Uint8Array {
  const upToDate = isUpToDate ? { upToDate: true } : {}
  const control = JSON.stringify({ streamNextOffset: offset, streamCursor: cursor, ...upToDate })
  return Buffer.from(`event: control\ndata: ${control}\n\n`)
}

/** The step of time, so that those who ask in one step ask for the same; and never the one that was echoed. */
export function cursorAt(wallMs: number, stepMs: number, echoed: string | null): string {
  const step = Math.floor(wallMs / stepMs)
  const before = echoed !== null && /^\d{1,15}$/.test(echoed) ? Number(echoed) : -1
  return String(before >= step ? before + 1 : step)
}

/** What of a reader's own place in presence an offset says: when it was last told something, and of which reading. */
export type PresenceOffset = { readonly atMs: number; readonly reading: string }

/** Null: it begins anew. */
export function readPresenceOffset(text: string | null): PresenceOffset | null | 'malformed' {
  if (text === null || text === '-1' || text === 'now') return null
  const match = /^(\d{16})_([\w-]{1,64})$/.exec(text)
  if (match === null) return 'malformed'
  const atMs = Number(match[1])
  return atMs === 0 ? null : { atMs, reading: match[2] ?? '' }
}

export function presenceOffsetOf({ atMs, reading }: PresenceOffset): string {
  return `${offsetOf(atMs)}_${reading}`
}

/** Who writes, and which of its writes this is. */
export type ProducerClaim = { readonly id: string; readonly epoch: number; readonly seq: number }

/** Null: nobody says. Throws ERR_BAD_MESSAGE where only part of it is there, or it is no number. */
export function readProducer(
  header: (name: string) => string | undefined,
  idLengthMax: number
): ProducerClaim | null {
  const id = header(headers.producerId)
  const [epoch, seq] = [header(headers.producerEpoch), header(headers.producerSeq)]
  if (id === undefined && epoch === undefined && seq === undefined) return null
  if (id === undefined || epoch === undefined || seq === undefined) {
    throw unusable('Producer-Id, Producer-Epoch and Producer-Seq come together or not at all')
  }
  if (id === '' || id.length > idLengthMax) throw unusable('Producer-Id is empty or too long')
  return { id, epoch: wholeOf(epoch, 'Producer-Epoch'), seq: wholeOf(seq, 'Producer-Seq') }
}

function wholeOf(text: string, name: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw unusable(`${name} is no whole number`)
  return value
}

function unusable(reason: string): Fault {
  return new Fault('ERR_BAD_MESSAGE', reason, { publicReason: reason })
}

/**
 * One of each for all readers: nothing of what they are sent depends on the room. Nothing of a document reaches a reader but
 * what its kind of request is for; who writes is answered, not sent to.
 */
export const encoders = {
  sse: silentEncoder('durable-streams sse', { update: dataEvent }),
  poll: silentEncoder('durable-streams poll', { update: framed }),
  presenceSse: silentEncoder('durable-streams presence sse', { awareness: dataEvent }),
  presencePoll: silentEncoder('durable-streams presence poll', { awareness: framed }),
  writer: silentEncoder('durable-streams writer')
} as const
