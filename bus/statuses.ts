/** The status of a bus, and who watches it. */
import type { BusOptions, BusStatus, Unsubscribe } from './bus.ts'

export class Statuses {
  #status: BusStatus = { state: 'away', reason: 'not connected yet' }
  readonly #watchers = new Set<{ readonly onStatus: (status: BusStatus) => void }>()
  readonly #onReport: BusOptions['onReport']

  constructor(onReport: BusOptions['onReport']) {
    this.#onReport = onReport
  }

  get(): BusStatus {
    return this.#status
  }

  /** Watchers hear of a change of state; another reason for the same state is only noted. */
  set(status: BusStatus): void {
    const isNews = status.state !== this.#status.state
    this.#status = status
    if (isNews) for (const { onStatus } of [...this.#watchers]) this.#tell(onStatus, status)
  }

  #tell(onStatus: (status: BusStatus) => void, status: BusStatus): void {
    try {
      onStatus(status)
    } catch (error) {
      this.#onReport?.({ type: 'subscriber-failed', error })
    }
  }

  watch(onStatus: (status: BusStatus) => void): Unsubscribe {
    const watcher = { onStatus }
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** Nobody is told that it is closed: whoever closed it knows. */
  close(): void {
    this.#watchers.clear()
    this.#status = { state: 'away', reason: 'closed' }
  }
}
