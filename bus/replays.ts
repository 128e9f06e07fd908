/**
 * Which messages of each sender have been seen, so that none counts twice. They may come out of order, by up to a window;
 * what comes later than that is taken for seen.
 */
import { bounds } from './bounds.ts'

type Seen = { highest: number; readonly bits: Uint32Array }

export class Replays {
  /** The sender that was silent longest comes first. */
  readonly #senders = new Map<string, Seen>()

  /** Whether this is the first time. From now on it is not. */
  isNew(sender: string, counter: number): boolean {
    const seen = this.#seenOf(sender)
    if (counter <= seen.highest - bounds.replayWindow) return false
    if (counter > seen.highest) {
      clear(seen, counter)
      seen.highest = counter
    }
    const [word, bit] = placeOf(counter)
    const bits = seen.bits[word] ?? 0
    seen.bits[word] = bits | bit
    return (bits & bit) === 0
  }

  #seenOf(sender: string): Seen {
    const found = this.#senders.get(sender)
    const seen = found ?? { highest: 0, bits: new Uint32Array(bounds.replayWindow / 32) }
    if (found !== undefined) this.#senders.delete(sender)
    this.#senders.set(sender, seen)
    if (this.#senders.size > bounds.sendersMax) {
      const [oldest] = this.#senders.keys()
      if (oldest !== undefined) this.#senders.delete(oldest)
    }
    return seen
  }
}

/** The places of what lies between the highest so far and a new one: their counters leave the window. */
function clear({ highest, bits }: Seen, counter: number): void {
  if (counter - highest >= bounds.replayWindow) {
    bits.fill(0)
    return
  }
  for (let each = highest + 1; each <= counter; each++) {
    const [word, bit] = placeOf(each)
    bits[word] = (bits[word] ?? 0) & ~bit
  }
}

function placeOf(counter: number): [word: number, bit: number] {
  const at = counter % bounds.replayWindow
  return [at >>> 5, 1 << (at & 31)]
}
