/** Much that is written to a response as fast as it is read; whoever reads nothing for too long is given up. */
import type { Writable } from 'node:stream'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'

/** Calls `over` when the response is closed: now, if whoever asked had gone before it began. */
export function onceClosed(response: Writable, over: () => void): void {
  if (response.destroyed) over()
  else response.once('close', over)
}

export class Pouring {
  readonly #response: Writable
  readonly #parts: { readonly time: Time; readonly limits: Limits }
  #cancelStall: Cancel = () => {}

  constructor(response: Writable, parts: { readonly time: Time; readonly limits: Limits }) {
    this.#response = response
    this.#parts = parts
    response.once('close', () => this.#cancelStall())
  }

  pour(chunks: Iterable<Uint8Array>, done: () => void): void {
    this.#go(chunks[Symbol.iterator](), done)
  }

  #go(chunks: Iterator<Uint8Array>, done: () => void): void {
    this.#cancelStall()
    for (let next = chunks.next(); next.done !== true; next = chunks.next()) {
      if (this.#response.destroyed) return
      if (this.#response.write(next.value)) continue
      return this.#wait(next.value.length, () => this.#go(chunks, done))
    }
    done()
  }

  #wait(bytes: number, go: () => void): void {
    const { time, limits } = this.#parts
    const { joinStallMs, joinBytesPerSecondMin } = limits
    const stalled = () => this.#response.destroy(new Fault('ERR_NO_PROGRESS'))
    this.#cancelStall = time.after(joinStallMs + (bytes / joinBytesPerSecondMin) * 1000, stalled)
    this.#response.once('drain', go)
  }
}
