/**
 * The stored format of histories: keys and values as bytes, on those of `format.ts`. Pure. README.md describes the same
 * layouts byte by byte. A history has a number of its own, of those that lives have: its blobs lie under it as segments.
 */
import { bounds } from './bounds.ts'
import {
  encodeName,
  garbageKey,
  historyKey,
  kinds,
  numberAt,
  numbers,
  plain,
  seal,
  segmentKey
} from './format.ts'
import type { Operation } from './ordered.ts'
import { type Run, splitRuns, unitedRuns } from './runs.ts'

/**
 * What the store itself knows of a history, beside the manifest: small, and read with the garbage notes of its document.
 * `hidden`: records that a checkpoint has replaced and the history needs.
 */
export type HistoryMark = {
  readonly incarnation: number
  readonly history: number
  readonly generation: number
  readonly releasedTo: number
  readonly pins: readonly number[]
  readonly hidden: readonly Run[]
}

export type StoredManifest = {
  readonly incarnation: number
  readonly history: number
  readonly generation: number
  readonly manifest: Uint8Array
}

const numberBytes = 6

/** history . generation . releasedTo . number of pins . pins . runs */
export function encodeMark({ history, generation, releasedTo, pins, hidden }: HistoryMark): Buffer {
  const fixed = numbers(history, generation, releasedTo, pins.length)
  const body = Buffer.alloc(fixed.length + (pins.length + 2 * hidden.length) * numberBytes)
  let at = fixed.copy(body)
  for (const pin of pins) at = body.writeUIntBE(pin, at, numberBytes)
  for (const { first, last } of hidden) {
    at = body.writeUIntBE(first, at, numberBytes)
    at = body.writeUIntBE(last, at, numberBytes)
  }
  return body
}

export function decodeMark(incarnation: number, body: Buffer): HistoryMark {
  const count = numberAt(body, 3)
  const pins = Array.from({ length: count }, (_, index) => numberAt(body, 4 + index))
  const hidden: Run[] = []
  for (let at = 4 + count; (at + 2) * numberBytes <= body.length; at += 2) {
    hidden.push({ first: numberAt(body, at), last: numberAt(body, at + 1) })
  }
  const [history, generation, releasedTo] = [numberAt(body, 0), numberAt(body, 1), numberAt(body, 2)]
  return { incarnation, history, generation, releasedTo, pins, hidden }
}

export function markKey({ incarnation, history }: Pick<HistoryMark, 'incarnation' | 'history'>): Buffer {
  return garbageKey(incarnation, history, 'history')
}

export function putMark(mark: HistoryMark): Operation {
  const key = markKey(mark)
  return { type: 'put', key, value: seal(key, kinds.historyMark, encodeMark(mark)) }
}

/** incarnation . history . generation . manifest */
export function putManifest(document: string, stored: StoredManifest): Operation {
  const key = historyKey(encodeName(document))
  const { incarnation, history, generation, manifest } = stored
  const body = Buffer.concat([numbers(incarnation, history, generation), manifest])
  return { type: 'put', key, value: seal(key, kinds.historyManifest, body) }
}

export function decodeManifest(body: Buffer): StoredManifest {
  const [incarnation, history, generation] = [numberAt(body, 0), numberAt(body, 1), numberAt(body, 2)]
  return { incarnation, history, generation, manifest: plain(body.subarray(3 * numberBytes)) }
}

/** One at a time, each at most a step: a large blob is not held in memory twice. The first part says how many there are. */
export function* blobPuts(history: number, number: number, bytes: Uint8Array): Generator<Operation> {
  const size = bounds.batchBytesMax
  const count = Math.max(1, Math.ceil(bytes.length / size))
  for (let part = 0; part < count; part++) {
    const key = segmentKey(history, number, part)
    const own = bytes.subarray(part * size, (part + 1) * size)
    if (part > 0) yield { type: 'put', key, value: seal(key, kinds.historyBlobPart, own) }
    else yield { type: 'put', key, value: seal(key, kinds.historyBlob, Buffer.concat([counted(count), own])) }
  }
}

/** Of the body of a first part. */
export function decodeFirstPart(body: Buffer): { readonly count: number; readonly bytes: Buffer } {
  return { count: body.readUInt32BE(0), bytes: body.subarray(4) }
}

/** What a checkpoint replaces: records that the history needs are hidden, the others go. */
export function hideReplaced(
  mark: HistoryMark,
  replaced: readonly Run[]
): { mark: HistoryMark; gone: Run[] } {
  const { kept, gone } = splitRuns(replaced, mark)
  return { mark: { ...mark, hidden: unitedRuns(mark.hidden, kept) }, gone }
}

/** What is hidden no more, as the history does not need it. */
export function release(mark: HistoryMark): { mark: HistoryMark; gone: Run[] } {
  const { kept, gone } = splitRuns(mark.hidden, mark)
  return { mark: { ...mark, hidden: kept }, gone }
}

function counted(count: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(count)
  return bytes
}
