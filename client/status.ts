/** What an application shows of a provider: one value that never changes, replaced when something does. */

/**
 * `connecting`: for the first time or again; it goes on by itself. `disconnected`: the application wants it so. `refused`:
 * the server does, and nothing is tried until `connect()`.
 */
export type ConnectionState = 'connecting' | 'connected' | 'disconnected' | 'refused'

/**
 * `yes`: everything typed here is on the server's disk. `saving`: not yet, and only this page has it. `kept-here`: not yet, but
 * this device keeps it. `refused`: the server does not take it. `unknown`: the server does not tell.
 */
export type SavedState = 'yes' | 'saving' | 'kept-here' | 'refused' | 'unknown'

export type Status = {
  readonly connection: ConnectionState
  /** What the server had when this connection began is here. */
  readonly synced: boolean
  /** Changes of this client that are not known to be on the server's disk. */
  readonly pending: number
  readonly saved: SavedState
  /** When something was last acknowledged, in milliseconds since 1970; null: nothing was. */
  readonly savedAt: number | null
  /** Since when `connection` is what it is. */
  readonly since: number
  /** A sentence for people about what is wrong; null: nothing is. */
  readonly reason: string | null
}

/** Holds the present status. `getSnapshot` and `subscribe` need no `this`. */
export class StatusBoard {
  #status: Status
  readonly #listeners = new Set<() => void>()

  constructor(status: Status) {
    this.#status = status
  }

  readonly getSnapshot = (): Status => this.#status

  readonly subscribe = (listener: () => void): (() => void) => {
    // A function of its own for each call: two who subscribe the same are two.
    const call = () => listener()
    this.#listeners.add(call)
    return () => void this.#listeners.delete(call)
  }

  /** Tells the listeners, unless nothing differs. */
  set(status: Status): void {
    const before = this.#status
    const keys = Object.keys(status) as (keyof Status)[]
    if (keys.every(key => status[key] === before[key])) return
    this.#status = status
    for (const listener of [...this.#listeners]) listener()
  }
}
