/**
 * HTTP requests are paid for like messages: by whoever sends them, and in turns. Nobody who asks often holds up those who
 * type. It knows requests and addresses, nothing of what is asked for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Budget, type Rates } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import type { Pacer } from '../base/pacer.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Pipelines } from './pipelines.ts'

type Parts = {
  readonly time: Time
  readonly limits: Limits
  readonly pacer: Pacer
  readonly pipelines: Pipelines
}

type Asked = { address(): string; answer(): void }

/** A request costs its place, not its bytes: bodies have bounds of their own. */
const anyBytes = 1e15

export class RequestBudget {
  readonly #parts: Parts
  readonly #rates: Rates
  /** By address, the least recently seen first. Bounded by `requestAddressesMax`. */
  readonly #budgets = new Map<string, Budget>()
  /** Requests of a connection that are not answered yet. */
  readonly #open = new WeakMap<Socket, number>()
  readonly #waiting = new Set<Cancel>()

  constructor(parts: Parts) {
    this.#parts = parts
    const { requestsPerSecondMax, requestsBurstMax } = parts.limits
    this.#rates = {
      messagesPerSecond: requestsPerSecondMax,
      messagesMax: requestsBurstMax,
      bytesPerSecond: anyBytes,
      bytesMax: anyBytes
    }
  }

  /**
   * Calls `answer` now, in one of the next turns, or when the address has paid for it. An address that owes much is
   * answered 429. A connection that pipelines more than anybody does is ended. `answer` must not throw.
   */
  take(request: IncomingMessage, response: ServerResponse, asked: Asked): void {
    const { socket } = request
    // Node hands over what it had read of a connection that was ended.
    if (socket.destroyed) return
    const open = (this.#open.get(socket) ?? 0) + 1
    if (open > this.#parts.limits.requestsPipelinedMax) return this.#parts.pipelines.end(socket)
    this.#open.set(socket, open)
    response.once('close', () => this.#open.set(socket, (this.#open.get(socket) ?? 1) - 1))
    const owedMs = this.#owedMs(asked.address())
    const isTooMuch = owedMs > this.#parts.limits.requestWaitMsMax
    // One of them is told why, and whoever asks one after the other has seen that.
    if (isTooMuch && open > 1) return this.#parts.pipelines.end(socket)
    const answer = () => {
      if (!response.destroyed) this.#parts.pacer.run(asked.answer)
    }
    if (owedMs === 0) answer()
    else if (isTooMuch) tooMany(response, owedMs)
    else this.#after(owedMs, answer)
  }

  /** Leaves no timer; whoever waits is not answered. */
  close(): void {
    for (const cancel of this.#waiting) cancel()
    this.#waiting.clear()
  }

  #owedMs(address: string): number {
    const nowMs = this.#parts.time.nowMs()
    const budget = this.#budgets.get(address) ?? new Budget(this.#rates, nowMs)
    this.#budgets.delete(address)
    this.#budgets.set(address, budget)
    for (const oldest of this.#budgets.keys()) {
      if (this.#budgets.size <= this.#parts.limits.requestAddressesMax) break
      this.#budgets.delete(oldest)
    }
    const owedMs = budget.owedMs(nowMs)
    // What is refused costs nothing more, or an honest request would never be answered again.
    return owedMs > this.#parts.limits.requestWaitMsMax ? owedMs : budget.take(0, nowMs)
  }

  #after(delayMs: number, run: () => void): void {
    const cancel = this.#parts.time.after(delayMs, () => {
      this.#waiting.delete(cancel)
      run()
    })
    this.#waiting.add(cancel)
  }
}

function tooMany(response: ServerResponse, owedMs: number): void {
  response.writeHead(429, {
    'retry-after': String(Math.ceil(owedMs / 1000)),
    connection: 'close',
    'content-length': '0'
  })
  response.end()
}
