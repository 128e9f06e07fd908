/** Latencies in a fixed histogram: tenths of a millisecond up to a second, milliseconds up to a minute. */
const fine = 10_000
const coarse = 60_000

export class Latency {
  #counts = new Uint32Array(fine + coarse)
  count = 0
  maxMs = 0

  add(ms) {
    const index = ms < 1000 ? Math.max(0, Math.floor(ms * 10)) : fine + Math.min(coarse - 1, Math.floor(ms))
    this.#counts[index]++
    this.count++
    if (ms > this.maxMs) this.maxMs = ms
  }

  percentile(share) {
    let left = Math.ceil(this.count * share)
    for (let index = 0; index < this.#counts.length; index++) {
      left -= this.#counts[index]
      if (left <= 0) return index < fine ? (index + 1) / 10 : index - fine + 1
    }
    return 0
  }

  /** What a report shows of it. */
  figures() {
    return {
      p50Ms: this.percentile(0.5),
      p99Ms: this.percentile(0.99),
      maxMs: Math.round(this.maxMs * 10) / 10
    }
  }
}
