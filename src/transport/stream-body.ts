/** Bodies of requests, read up to a bound. What is not whole yet is counted with the messages that are not: see `Unfinished`. */
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Asked } from './stream-visits.ts'
import type { Keeper, Shares } from './unfinished.ts'

export type Bodies = { readonly shares: Shares; readonly limits: Limits }

/** Null when it is longer than `frameBytesMax`: the rest is not read. Rejects with a Fault when it does not end. */
export async function readBody({ shares, limits }: Bodies, asked: Asked): Promise<Uint8Array | null> {
  const { request, visitor } = asked
  if (Number(request.header('content-length') ?? 0) > limits.frameBytesMax) return null
  const reading = new Reading(visitor.address, shares)
  // Not by a loop: one that is left early ends the connection before it is answered.
  const chunks = request.body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value } = await reading.unlessCutOff(chunks.next())
      if (done === true) return reading.whole()
      reading.take(value)
      if (reading.bytes > limits.frameBytesMax) return null
    }
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('ERR_CANCELLED', 'the body was not sent to its end', { cause: error })
  } finally {
    reading.over()
  }
}

class Reading implements Keeper {
  readonly address: string
  readonly #shares: Shares
  readonly #chunks: Uint8Array[] = []
  readonly #cutOff: Promise<never>
  #fail: (fault: Fault) => void = () => {}
  bytes = 0

  constructor(address: string, shares: Shares) {
    this.address = address
    this.#shares = shares
    this.#cutOff = new Promise((_, fail) => {
      this.#fail = fail
    })
    this.#cutOff.catch(() => {})
  }

  cutOff(): void {
    this.#fail(new Fault('ERR_OVERLOADED', 'too much is kept of requests that are not whole'))
  }

  unlessCutOff<T>(chunk: Promise<T>): Promise<T> {
    return Promise.race([chunk, this.#cutOff])
  }

  take(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.bytes += chunk.length
    this.#shares.admitted.set(this, this.bytes)
  }

  /** In memory of its own. */
  whole(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }

  over(): void {
    this.#shares.admitted.set(this, 0)
  }
}
