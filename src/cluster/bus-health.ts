/** Whether the bus carries anything, and what the operator is told of it. */
import {
  type BusStatus,
  busBounds,
  type Pulse,
  type PulseState,
  type SealedBus,
  startPulse
} from '../../bus/index.ts'
import type { Log } from '../base/log.ts'
import type { BusReading } from '../base/metrics.ts'
import type { Cancel, Time } from '../base/time.ts'

type Parts = {
  readonly bus: SealedBus
  readonly time: Time
  readonly log: Log
  /** Each change. */
  readonly onState: () => void
}

export class BusHealth {
  readonly #parts: Parts
  readonly #pulse: Pulse
  readonly #cancelFirst: Cancel

  constructor(parts: Parts) {
    this.#parts = parts
    this.#pulse = startPulse({ bus: parts.bus, time: parts.time, onState: state => this.#changed(state) })
    // A bus that is away from the beginning does not change.
    const firstMs = (busBounds.beatsUnheardMax + 1) * busBounds.beatMs
    this.#cancelFirst = parts.time.after(firstMs, () => {
      if (this.state === 'away') this.#say('away')
    })
  }

  /** Before the first echo: `away`. */
  get state(): PulseState {
    return this.#pulse.state()
  }

  read(): BusReading {
    const { queuedMessages, queuedBytes, ...counts } = this.#parts.bus.counts()
    return { isWell: this.state === 'well', queuedMessages, queuedBytes, counts }
  }

  close(): void {
    this.#cancelFirst()
    this.#pulse.close()
  }

  #changed(state: PulseState): void {
    this.#say(state)
    this.#parts.onState()
  }

  #say(state: PulseState): void {
    const { bus, log } = this.#parts
    if (state === 'well') log.info({ bus: state }, 'the bus carries messages')
    else {
      const reason = reasonOf(bus.status())
      log.warn(
        { bus: state, reason },
        'the bus is away: edits cross through the store, presence does not cross'
      )
    }
  }
}

function reasonOf(status: BusStatus): string {
  return status.state === 'away' ? status.reason : 'what is published does not come back'
}
