/**
 * What a room sees of an HTTP request of the Durable Streams dialect, or of what one has left behind: somebody who is held
 * back, waits and is ended like a connection, without a socket to send on.
 */
import type { Admitted } from '../access/grant.ts'
import type { Holder } from '../access/pass.ts'
import type { Fault } from '../base/errors.ts'
import { type Frame, frameBytes } from '../dialect/frame.ts'
import type { Port } from '../room/member.ts'

/** What becomes of what a room sends, and of its end. */
export type Receiver = { send(frame: Frame): void; end(fault: Fault): void }

export class StreamPort implements Port, Holder {
  /** Of its writer, once it is known who that is. */
  id: string
  /** The time that its messages took, beside the call that received them. */
  readonly #spent: (spentMs: number) => void
  #receiver: Receiver | null = null
  #fault: Fault | null = null
  #holds = 0
  #waiting: { pass(): void; fail(fault: Fault): void }[] = []
  /** What is to be told when what it was granted has changed. */
  onGranted: () => void = () => {}
  /** Whether it still is there, for who asks for its clientID. */
  isThere: () => boolean = () => false

  constructor(id: string, spent: (spentMs: number) => void) {
    this.id = id
    this.#spent = spent
  }

  /** Takes what comes from now on; what has ended already ends at once. */
  receiveBy(receiver: Receiver): void {
    this.#receiver = receiver
    if (this.#fault !== null) receiver.end(this.#fault)
  }

  get isOver(): boolean {
    return this.#fault !== null
  }

  /** Resolves when it is not held back (any more). Rejects with what has ended it. */
  ready(): Promise<void> {
    if (this.#fault !== null) return Promise.reject(this.#fault)
    if (this.#holds === 0) return Promise.resolve()
    return new Promise((pass, fail) => this.#waiting.push({ pass, fail }))
  }

  /** Settles as the work does, or rejects with what ends this before. */
  async unlessOver<T>(work: Promise<T>): Promise<T> {
    if (this.#fault !== null) {
      work.catch(ignore)
      throw this.#fault
    }
    return new Promise<T>((resolve, fail) => {
      const waiter = { pass: ignore, fail }
      this.#waiting.push(waiter)
      const settled = () => {
        this.#waiting = this.#waiting.filter(each => each !== waiter)
      }
      work.then(resolve, fail).finally(settled)
    })
  }

  send(frame: Frame): void {
    if (this.#fault === null && frameBytes(frame) > 0) this.#receiver?.send(frame)
  }

  /** Nobody joins in this dialect: what is there already is read by the numbers of records. */
  feed(frame: Frame): 'flowing' | 'full' {
    this.send(frame)
    return 'flowing'
  }

  end(fault: Fault): void {
    if (this.#fault !== null) return
    this.#fault = fault
    const waiting = this.#waiting
    this.#waiting = []
    for (const { fail } of waiting) fail(fault)
    this.#receiver?.end(fault)
  }

  /** There is nobody to answer: its states are renewed by its own posts alone. */
  ping(): () => boolean {
    return () => false
  }

  probe(): Promise<boolean> {
    return Promise.resolve(this.#fault === null && this.isThere())
  }

  pause(): void {
    this.#holds++
  }

  resume(): void {
    this.#holds--
    if (this.#holds > 0) return
    const waiting = this.#waiting
    // Those of `unlessOver` wait for something else.
    this.#waiting = waiting.filter(({ pass }) => pass === ignore)
    for (const { pass } of waiting) pass()
  }

  hold(): void {
    this.pause()
  }

  release(): void {
    this.resume()
  }

  charge(spentMs: number): void {
    this.#spent(spentMs)
  }

  granted(_admitted: Admitted): void {
    this.onGranted()
  }

  /** The next request has another token, or none. */
  expires(): void {}

  refused(fault: Fault): void {
    this.end(fault)
  }
}

function ignore(): void {}
