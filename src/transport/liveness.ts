/** Whether somebody is at the other end of a connection. What anything means that is heard of them is not its business. */
import type { Limits } from '../base/limits.ts'

/** What is to be done about it. `silent`: nothing was sent for long, and the other end might give up. */
export type Due = { readonly isSilent: boolean; readonly next: 'nothing' | 'ping' | 'end' }

export class Liveness {
  readonly #limits: Limits
  #hasSent = false
  /** How often anything was heard, and how often that was at the last beat. */
  #heard = 0
  #heardAtBeat = -1
  #silentMs = 0
  #unheardMs = 0
  // Made when it is needed: most connections never are probed.
  #probes: Set<(isAlive: boolean) => void> | null = null

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Messages, pings and pongs that have come. */
  get heard(): number {
    return this.#heard
  }

  hears(): void {
    this.#heard++
  }

  sends(): void {
    this.#hasSent = true
  }

  /** A pong came. */
  answered(): void {
    this.#heard++
    this.#settle(true)
  }

  /** Resolves to true with the next pong, to false when `late` runs what it is given before, or when nobody is there. */
  probe(late: (run: () => void) => void): Promise<boolean> {
    return new Promise(resolve => {
      const settle = (isAlive: boolean) => {
        if (this.#probes?.delete(settle) === true) resolve(isAlive)
      }
      this.#probes ??= new Set()
      this.#probes.add(settle)
      late(() => settle(false))
    })
  }

  /** `chunks`: how often anything was read, as who is in the middle of a long message answers no ping. */
  beat(elapsedMs: number, chunks: number): Due {
    const { keepAliveMs, pingMs } = this.#limits
    const heard = this.#heard + chunks
    this.#silentMs = this.#hasSent ? 0 : this.#silentMs + elapsedMs
    this.#unheardMs = heard > this.#heardAtBeat ? 0 : this.#unheardMs + elapsedMs
    this.#hasSent = false
    this.#heardAtBeat = heard
    const next = this.#unheardMs >= 2 * pingMs ? 'end' : this.#unheardMs >= pingMs ? 'ping' : 'nothing'
    return { isSilent: this.#silentMs >= keepAliveMs, next }
  }

  /** Nobody is there any more. */
  over(): void {
    this.#settle(false)
  }

  #settle(isAlive: boolean): void {
    for (const settle of [...(this.#probes ?? [])]) settle(isAlive)
  }
}
