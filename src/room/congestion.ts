/** Members whose sockets are not read for a while, because too much of what came is not durable yet. */
import type { Member } from './member.ts'

export class Congestion {
  #held = new Set<Member>()

  hold(member: Member): void {
    if (this.#held.has(member)) return
    this.#held.add(member)
    member.port.pause()
  }

  /** The member has left. */
  forget(member: Member): void {
    this.#held.delete(member)
  }

  release(): void {
    if (this.#held.size === 0) return
    const released = this.#held
    this.#held = new Set()
    for (const member of released) member.port.resume()
  }
}
