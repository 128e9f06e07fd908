/**
 * Who has received what of a room's writers, and how long it took. Reads the updates on the wire far enough to know
 * which writers' clocks they carry: by hand where it is one struct, through Yjs (once per distinct update) where a
 * server has merged several.
 */
import * as Y from 'yjs'
import { Latency } from './latency.js'
import { writerOf } from './typing.js'

const cacheMax = 4096
const own = 0xffffffff

export class Deliveries {
  latency = new Latency()
  /** (update, receiver) pairs that arrived. */
  count = 0
  expected = 0
  /** Updates that arrived before one of the same writer with a smaller clock did. */
  gaps = 0
  #sentAt
  #sent
  #isMeasured = true
  #merged = new Map()
  #receivers = 0

  /** `perWriter`: the most updates one writer will send. */
  constructor({ writers, perWriter }) {
    this.#sentAt = Array.from({ length: writers }, () => new Float64Array(perWriter))
    this.#sent = new Uint32Array(writers)
  }

  get isComplete() {
    return this.count >= this.expected
  }

  get sent() {
    return this.#sent.reduce((sum, count) => sum + count, 0)
  }

  /** Deliveries of what is sent from now on count for the latency. */
  measure(isMeasured) {
    this.#isMeasured = isMeasured
  }

  /**
   * A receiver; `writer`: its index if it writes itself; `latencyOf(writer)`: where the time of a delivery is put down.
   * Add all before anything is sent.
   */
  receiver(writer = -1, latencyOf = () => this.latency) {
    const known = new Uint32Array(this.#sent.length)
    if (writer >= 0) known[writer] = own
    this.#receivers++
    const receiver = { known, latencyOf }
    return (bytes, start, end) => this.#receive(receiver, bytes, start, end)
  }

  /** To be called when a writer sends its next update; `toSelf`: the writer is a receiver too. */
  sending(writer, { isReceiver }) {
    const sequence = this.#sent[writer]++
    // A negative time is not measured.
    this.#sentAt[writer][sequence] = this.#isMeasured ? performance.now() : -1
    this.expected += this.#receivers - (isReceiver ? 1 : 0)
  }

  #receive(receiver, bytes, start, end) {
    if (end - start <= 2) return
    if (bytes[start] === 1 && bytes[start + 1] === 1) {
      at = start + 2
      const clientID = varUint(bytes)
      const clock = varUint(bytes)
      const length = stringLength(bytes)
      if (length > 0) return this.#arrived(receiver, clientID, clock, clock + length)
    }
    for (const [clientID, from, to] of this.#rangesOf(bytes, start, end)) {
      this.#arrived(receiver, clientID, from, to)
    }
  }

  #arrived({ known, latencyOf }, clientID, from, to) {
    const writer = writerOf(clientID)
    const had = known[writer]
    if (to <= had) return
    if (from > had) this.gaps++
    known[writer] = to
    const now = performance.now()
    const sentAt = this.#sentAt[writer]
    const latency = latencyOf(writer)
    for (let sequence = had; sequence < to; sequence++) {
      if (sentAt[sequence] >= 0) latency.add(now - sentAt[sequence])
    }
    this.count += to - had
  }

  /** A merged update goes to every reader: what it carries is worked out for the first. */
  #rangesOf(bytes, start, end) {
    const key = keyOf(bytes, start, end)
    const cached = this.#merged.get(key)
    if (cached !== undefined && cached.bytes.compare(bytes, start, end) === 0) return cached.ranges
    const copy = Buffer.from(bytes.subarray(start, end))
    const { from, to } = Y.parseUpdateMeta(copy)
    const ranges = [...to].map(([clientID, clock]) => [clientID, from.get(clientID) ?? 0, clock])
    if (this.#merged.size >= cacheMax) this.#merged.clear()
    this.#merged.set(key, { bytes: copy, ranges })
    return ranges
  }
}

function keyOf(bytes, start, end) {
  let hash = end - start
  const last = Math.min(end, start + 48)
  for (let i = start; i < last; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0
  for (let i = Math.max(last, end - 16); i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]) | 0
  return hash
}

let at = 0

function varUint(bytes) {
  let value = 0
  let factor = 1
  for (;;) {
    const byte = bytes[at++]
    value += (byte & 127) * factor
    if (byte < 128) return value
    factor *= 128
  }
}

/** The length of a struct of one-byte characters (Item.write in Yjs); 0 if it is something else. */
function stringLength(bytes) {
  const info = bytes[at++]
  if ((info & 31) !== 4) return 0
  const hasOrigin = (info & 0x80) !== 0
  const hasRightOrigin = (info & 0x40) !== 0
  if (hasOrigin) skipId(bytes)
  if (hasRightOrigin) skipId(bytes)
  if (!hasOrigin && !hasRightOrigin) {
    if (varUint(bytes) === 1) skipString(bytes)
    else skipId(bytes)
  }
  return varUint(bytes)
}

function skipString(bytes) {
  const length = varUint(bytes)
  at += length
}

function skipId(bytes) {
  varUint(bytes)
  varUint(bytes)
}

/** Those of many rooms, as one. */
export function totalOf(each) {
  const sum = name => each.reduce((total, deliveries) => total + deliveries[name], 0)
  return {
    latency: each[0].latency,
    get count() {
      return sum('count')
    },
    get expected() {
      return sum('expected')
    },
    get isComplete() {
      return each.every(deliveries => deliveries.isComplete)
    },
    measure(isMeasured) {
      for (const deliveries of each) deliveries.measure(isMeasured)
    }
  }
}
