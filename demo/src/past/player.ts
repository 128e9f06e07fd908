// Plays the past: from the moment that is looked at to the newest one, at a speed that people can follow.
import { createSignal, type Signal } from '../signal.ts'
import type { Past } from './past.ts'

const frameMs = 140
/** A long past is played in larger steps. */
const framesMax = 160

export class Player {
  readonly #past: Past
  readonly #isPlaying = createSignal(false)
  /** Ends the wait for the next frame. */
  #wake: () => void = () => {}

  constructor(past: Past) {
    this.#past = past
  }

  get isPlaying(): Signal<boolean> {
    return this.#isPlaying
  }

  /** From the beginning, if there is nothing after the moment that is looked at. Resolves when it has ended. */
  async play(): Promise<void> {
    const past = this.#past
    const { axis } = past.known.value ?? {}
    if (axis === undefined || this.#isPlaying.value) return
    this.#isPlaying.set(true)
    const start = past.position.value >= axis.last ? axis.first : past.position.value
    const step = Math.max(1, Math.ceil((axis.last - start) / framesMax))
    for (let at = start; this.#isPlaying.value; at = Math.min(at + step, axis.last)) {
      // What is shown is waited for: on a slow line it plays more slowly, and nothing piles up.
      await Promise.all([past.goTo(at), this.#pause()])
      if (at >= axis.last || past.trouble.value !== null) break
    }
    this.#isPlaying.set(false)
  }

  stop(): void {
    this.#isPlaying.set(false)
    this.#wake()
  }

  #pause(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
      setTimeout(resolve, frameMs)
    })
  }
}
