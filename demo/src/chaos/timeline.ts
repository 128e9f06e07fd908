// What happened in the last minute: edits per second, kills, comparisons that ended well.

export type Mark = { readonly kind: 'kill' | 'check'; readonly atMs: number }

export const timelineMs = 60_000

export class Timeline {
  #seconds = new Map<number, number>()
  #marks: Mark[] = []

  count(edits: number): void {
    if (edits === 0) return
    const second = Math.floor(performance.now() / 1000)
    this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + edits)
  }

  mark(kind: Mark['kind']): void {
    this.#marks.push({ kind, atMs: performance.now() })
  }

  /** Edits in each second of the last minute, the oldest first; and the marks, with how long ago they were made. */
  read(): {
    readonly perSecond: readonly number[]
    readonly marks: readonly { kind: Mark['kind']; agoMs: number }[]
  } {
    const nowMs = performance.now()
    const now = Math.floor(nowMs / 1000)
    const length = timelineMs / 1000
    const perSecond = Array.from({ length }, (_, at) => this.#seconds.get(now - length + 1 + at) ?? 0)
    for (const second of this.#seconds.keys()) if (second < now - length) this.#seconds.delete(second)
    this.#marks = this.#marks.filter(({ atMs }) => nowMs - atMs < timelineMs)
    return { perSecond, marks: this.#marks.map(({ kind, atMs }) => ({ kind, agoMs: nowMs - atMs })) }
  }
}
