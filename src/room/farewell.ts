/** The end of members of a room: spread over a while, as clients come back without jitter. */
import type { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Member } from './member.ts'

export class Farewell {
  readonly #time: Time
  readonly #limits: Limits
  readonly #cancels = new Map<Member, Cancel>()

  constructor(time: Time, limits: Limits) {
    this.#time = time
    this.#limits = limits
  }

  /** `newcomers`: for those who have been shown nothing of the document yet. */
  begin(members: ReadonlySet<Member>, { fault, newcomers }: { fault: Fault; newcomers: Fault }): void {
    let index = 0
    for (const member of members) {
      const delayMs = (this.#limits.staggerMs * index++) / members.size
      const { type } = member.phase
      const own = type === 'greeted' || type === 'preparing' ? newcomers : fault
      this.#cancels.get(member)?.()
      this.#cancels.set(
        member,
        this.#time.after(delayMs, () => member.port.end(own))
      )
    }
  }

  /** The same for those who are meant; the others stay. Returns how many end. */
  some(members: ReadonlySet<Member>, isMeant: (member: Member) => boolean, fault: Fault): number {
    const meant = new Set([...members].filter(isMeant))
    this.begin(meant, { fault, newcomers: fault })
    return meant.size
  }

  /** The member has left. */
  forget(member: Member): void {
    this.#cancels.get(member)?.()
    this.#cancels.delete(member)
  }

  /** Leaves no timer; whoever is still here is ended by the caller. */
  close(): void {
    for (const cancel of this.#cancels.values()) cancel()
  }
}
