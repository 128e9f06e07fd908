/** What a bus is given to send: what it takes of it, what of that is still queued here, and how much was dropped and why. */
import { bounds } from './bounds.ts'
import type { BusCounts } from './bus.ts'

export class Outgoing {
  #published = 0
  #droppedAway = 0
  #droppedFull = 0
  #droppedLarge = 0
  #queuedMessages = 0
  #queuedBytes = 0

  /** Whether a message of so many bytes may be sent. If not, it counts as dropped. */
  takes(bytes: number, { isAway }: { isAway: boolean }): boolean {
    const isFull =
      this.#queuedMessages >= bounds.queuedMessagesMax || this.#queuedBytes + bytes > bounds.queuedBytesMax
    if (bytes > bounds.messageBytesMax) this.#droppedLarge++
    else if (isAway) this.#droppedAway++
    else if (isFull) this.#droppedFull++
    else return true
    return false
  }

  published(): void {
    this.#published++
  }

  /** One that was to be sent cannot be: the connection ends in this moment. */
  lost(): void {
    this.#droppedAway++
  }

  queued(bytes: number): void {
    this.#queuedMessages++
    this.#queuedBytes += bytes
  }

  /** So many have left, with so many bytes. */
  left(messages: number, bytes: number): void {
    this.#queuedMessages -= messages
    this.#queuedBytes -= bytes
  }

  /** What was queued is gone, with the connection that had it. */
  clear(): void {
    this.#queuedMessages = 0
    this.#queuedBytes = 0
  }

  counts(received: number): BusCounts {
    return {
      published: this.#published,
      received,
      droppedAway: this.#droppedAway,
      droppedFull: this.#droppedFull,
      droppedLarge: this.#droppedLarge,
      queuedMessages: this.#queuedMessages,
      queuedBytes: this.#queuedBytes
    }
  }
}
