/**
 * What waits, by the name that it is of: the names take turns, and within a name the order stays. Whoever has a thousand
 * waiting keeps nobody else waiting for more than one of them.
 */
export class FairQueue<T> {
  /** In the order of turns; none of them is empty. */
  readonly #waiting = new Map<string, T[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  push(name: string, item: T): void {
    const items = this.#waiting.get(name)
    if (items === undefined) this.#waiting.set(name, [item])
    else items.push(item)
    this.#size++
  }

  /** The next in turn; undefined when nothing waits. */
  shift(): T | undefined {
    for (const [name, items] of this.#waiting) {
      this.#waiting.delete(name)
      const item = items.shift()
      if (items.length > 0) this.#waiting.set(name, items)
      this.#size--
      return item
    }
    return undefined
  }

  /** Whether it was there to be taken out. O(what waits of the name). */
  remove(name: string, item: T): boolean {
    const items = this.#waiting.get(name) ?? []
    const at = items.indexOf(item)
    if (at < 0) return false
    items.splice(at, 1)
    if (items.length === 0) this.#waiting.delete(name)
    this.#size--
    return true
  }

  /** Takes out what came last of the name that has most waiting. O(names). */
  popLongest(): T | undefined {
    let longest: [name: string, items: T[]] | undefined
    for (const entry of this.#waiting) if (entry[1].length > (longest?.[1].length ?? 0)) longest = entry
    if (longest === undefined) return undefined
    const [name, items] = longest
    const item = items.pop()
    if (items.length === 0) this.#waiting.delete(name)
    this.#size--
    return item
  }

  /** Takes everything out. */
  clear(): T[] {
    const all = [...this.#waiting.values()].flat()
    this.#waiting.clear()
    this.#size = 0
    return all
  }
}
