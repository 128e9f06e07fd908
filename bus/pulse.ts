/**
 * Whether the bus carries anything: a node sends itself a beat each second, and hears it come back, or not. That a connection
 * stands says less. It counts beats, not time: when this process itself stood still, it takes nobody for dead.
 */
import { bounds } from './bounds.ts'
import type { SealedBus } from './sealed.ts'
import { type BusTime, realTime } from './time.ts'

export type PulseState = 'well' | 'away'

export type PulseOptions = {
  readonly bus: SealedBus
  /** Each change. Before the first echo the state is `away`. */
  readonly onState: (state: PulseState) => void
  readonly time?: BusTime
  readonly beatMs?: number
}

export type Pulse = {
  state(): PulseState
  /** Nothing beats any more, and nobody is told anything. */
  close(): void
}

export function startPulse(options: PulseOptions): Pulse {
  return new Beating(options)
}

class Beating implements Pulse {
  readonly #bus: SealedBus
  readonly #topic: string
  readonly #onState: (state: PulseState) => void
  readonly #time: BusTime
  readonly #beatMs: number
  readonly #unsubscribe: () => void
  #cancel: () => void = () => {}
  #state: PulseState = 'away'
  /** The number of the last beat, and the highest that came back. */
  #sent = 0
  #heard = 0

  constructor({ bus, onState, time = realTime, beatMs = bounds.beatMs }: PulseOptions) {
    this.#bus = bus
    this.#topic = `pulse/${bus.nodeId}`
    this.#onState = onState
    this.#time = time
    this.#beatMs = beatMs
    this.#unsubscribe = bus.subscribeOwn(this.#topic, ({ bytes }) => this.#echoed(bytes))
    this.#beat()
  }

  state(): PulseState {
    return this.#state
  }

  close(): void {
    this.#cancel()
    this.#unsubscribe()
  }

  #beat(): void {
    if (this.#sent - this.#heard >= bounds.beatsUnheardMax) this.#become('away')
    this.#sent++
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, this.#sent)
    // Whether it was taken does not matter: an echo does.
    this.#bus.publish(this.#topic, bytes)
    this.#cancel = this.#time.after(this.#beatMs, () => this.#beat())
  }

  #echoed(bytes: Uint8Array): void {
    const beat = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(0)
    this.#heard = Math.max(this.#heard, beat)
    // What a broker held back for so long says that it was away, not that it is back.
    if (this.#sent - beat < bounds.beatsUnheardMax) this.#become('well')
  }

  #become(state: PulseState): void {
    if (state === this.#state) return
    this.#state = state
    this.#onState(state)
  }
}
