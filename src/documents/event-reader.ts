/** Who watches a document over HTTP: a sink for events, and a bound on what waits in it. */
import type { Limits } from '../base/limits.ts'

/** Where events go. `queuedBytes`: of what was written and not taken by the network yet. */
export type EventSink = {
  write(bytes: Uint8Array): void
  readonly queuedBytes: number
  end(): void
}

export class EventReader {
  readonly wantsPresence: boolean
  /** It has the beginning, and is told of each change. */
  isLive = false
  isOpen = true
  readonly #sink: EventSink
  readonly #limits: Limits

  constructor(sink: EventSink, wantsPresence: boolean, limits: Limits) {
    this.#sink = sink
    this.wantsPresence = wantsPresence
    this.#limits = limits
  }

  /** Whoever is too slow is given up, and comes back. One event may be larger than the bound. */
  send(bytes: Uint8Array): void {
    if (!this.isOpen) return
    if (this.#sink.queuedBytes > this.#limits.eventQueueBytesMax) return this.end()
    this.#sink.write(bytes)
  }

  end(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#sink.end()
  }
}

/** One event of `text/event-stream`. `data`: UTF-8 without a line break. */
export function eventBytes({
  id,
  event,
  data
}: {
  id: string | null
  event: string
  data: Uint8Array
}): Buffer {
  const head = `${id === null ? '' : `id: ${id}\n`}event: ${event}\ndata: `
  return Buffer.concat([Buffer.from(head), data, Buffer.from('\n\n')])
}
