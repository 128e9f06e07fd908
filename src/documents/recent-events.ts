/** The last events of a view, for who comes back after a moment. */
import type { Limits } from '../base/limits.ts'

type Recent = { readonly version: string; readonly bytes: Uint8Array }

export class RecentEvents {
  readonly #limits: Limits
  readonly #events: Recent[] = []
  #bytes = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  add(version: string, bytes: Uint8Array): void {
    this.#events.push({ version, bytes })
    this.#bytes += bytes.length
    const { recentEventsMax, recentEventBytesMax } = this.#limits
    while (this.#events.length > recentEventsMax || this.#bytes > recentEventBytesMax) {
      this.#bytes -= this.#events.shift()?.bytes.length ?? 0
    }
  }

  /** Those that came after the one of this version; null: it is not among them. */
  after(version: string): readonly Uint8Array[] | null {
    const at = this.#events.findIndex(each => each.version === version)
    return at === -1 ? null : this.#events.slice(at + 1).map(({ bytes }) => bytes)
  }
}
