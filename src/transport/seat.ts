/**
 * One connection's place in one document, whatever the dialect: what it was granted, its share of what its address may
 * have, the room and the member. It is left once, and then nothing of it is left.
 */
import { createHash } from 'node:crypto'
import { type Admitted, type Attempt, everybody, peerOf, sourceOf, type Visitor } from '../access/grant.ts'
import type { Holder, Pass } from '../access/pass.ts'
import type { Passes } from '../access/passes.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { Member, type MemberPerson, type Port } from '../room/member.ts'
import type { Room } from '../room/room.ts'
import type { Rooms } from '../room/rooms.ts'
import type { Addresses } from './addresses.ts'

export type SeatParts = {
  readonly rooms: Rooms
  readonly passes: Passes
  readonly addresses: Addresses
  readonly limits: Limits
}

export class Seat {
  readonly document: string
  readonly #parts: SeatParts
  readonly #address: string
  /** Null once nobody will be asked about them any more: their headers are the largest part of a seat. */
  #visitor: Visitor | null
  #pass: Pass | null = null
  #admitted: Admitted = everybody
  #isCounted = false
  #isLeft = false
  #room: Room | null = null
  #member: Member | null = null

  /** `parts` are those of all seats: what is made for one of them would stay as long as it does. */
  constructor(parts: SeatParts, visitor: Visitor, document: string) {
    this.#parts = parts
    this.#address = visitor.address
    this.#visitor = visitor
    this.document = document
  }

  get user(): Admitted['user'] {
    return this.#admitted.user
  }

  get access(): 'read' | 'write' {
    return this.#admitted.access
  }

  get room(): Room | null {
    return this.#room
  }

  get member(): Member | null {
    return this.#member
  }

  /** Whether nobody is asked, and `admit` would be for nothing. */
  get isOpen(): boolean {
    return this.#visitor === null || this.#parts.passes.admission.isOpenTo(this.#visitor)
  }

  /**
   * Asks whether it may be had. `holder` is told what becomes of that later, unless the seat was left. Rejects with a
   * Fault.
   */
  async admit(asked: Pick<Attempt, 'token' | 'dialect'>, connection: string, holder: Holder): Promise<void> {
    const { passes, rooms } = this.#parts
    // Nobody is asked about what cannot be.
    rooms.checkName(this.document)
    if (this.#visitor === null) return
    const attempt = passes.admission.question(this.#visitor, { ...asked, document: this.document })
    if (!passes.admission.asks) return
    const granted = (admitted: Admitted, purpose: 'renew' | 'recheck') => {
      this.#admitted = admitted
      holder.granted(admitted, purpose)
    }
    const kept = { granted, expires: () => holder.expires(), refused: holder.refused.bind(holder) }
    const ask = () => this.#ask(attempt, { connection, holder: kept })
    const pass = await this.#parts.addresses.attempt(this.#address, ask)
    if (this.#isLeft || pass === null) return pass?.over()
    this.#pass = pass
    this.#admitted = pass.admitted
  }

  /** A token came again. Throws a Fault when it cannot be put to anybody. */
  renew(asked: Pick<Attempt, 'token' | 'dialect'>): void {
    const { admission } = this.#parts.passes
    if (this.#pass === null || this.#visitor === null) return
    this.#pass.renew(admission.question(this.#visitor, { ...asked, document: this.document }))
  }

  /** Resolves when the room is there, to be entered in the same turn. Rejects with a Fault. */
  async open(): Promise<Room> {
    if (!this.#isLeft && !this.#isCounted) {
      this.#parts.addresses.entered(this.#address)
      this.#isCounted = true
    }
    try {
      return await this.#parts.rooms.open(this.document)
    } catch (error) {
      // The application says that nobody gets in, and is not to be asked as fast as clients can connect.
      if (error instanceof Fault && isRefusal(error)) await this.#refused(null)
      throw error
    }
  }

  /** Throws a Fault. */
  enter(room: Room, port: Port, encoder: ConstructorParameters<typeof Member>[1]): Member {
    const member = new Member(port, encoder, this.#person())
    room.enter(member)
    this.#room = room
    this.#member = member
    if (this.#pass === null) this.#visitor = null
    return member
  }

  /** What it may do has changed, or who it is. */
  regrant(): void {
    if (this.#member !== null) this.#room?.grant(this.#member, this.#person())
  }

  leave(): void {
    if (this.#isLeft) return
    this.#isLeft = true
    this.#pass?.over()
    if (this.#isCounted) this.#parts.addresses.left(this.#address)
    if (this.#member !== null) this.#room?.leave(this.#member)
    this.#room = null
    this.#member = null
  }

  /**
   * Null if it was left while it waited. Rejects later, if this address was refused again and again: whoever leaves
   * meanwhile has kept its place all the same, or guessing would go as fast as connecting.
   */
  async #ask(attempt: Attempt, asker: Parameters<Passes['issue']>[1]): Promise<Pass | null> {
    if (this.#isLeft) return null
    try {
      return await this.#parts.passes.issue(attempt, asker)
    } catch (error) {
      if (!(error instanceof Fault) || !isRefusal(error)) throw error
      const count = await this.#refused(attempt.token)
      if (error.code === 'ERR_EXPIRED' && count > this.#parts.limits.expiredTokenTriesMax) {
        throw new Fault('ERR_EXPIRED_AGAIN', error.message)
      }
      throw error
    }
  }

  /** Resolves when it may hear so, to how often the same was refused lately. */
  #refused(token: string | null): Promise<number> {
    const { cookie = null, authorization = null } = this.#visitor?.headers ?? {}
    // Everything that `authorize` may know somebody by: what differs in any of it is another attempt.
    const known = [this.document, token, this.#address, cookie, authorization]
    const attempt = createHash('sha256').update(JSON.stringify(known)).digest('base64')
    return this.#parts.addresses.refusal(this.#address, attempt)
  }

  #person(): MemberPerson {
    const { user, access } = this.#admitted
    return new Person({ access, user, address: this.#address, document: this.document })
  }
}

/** Who sits there. What they are counted by is made when something is counted: most never are. */
class Person implements MemberPerson {
  readonly access: MemberPerson['access']
  readonly user: MemberPerson['user']
  readonly #address: string
  readonly #document: string

  constructor(of: Pick<MemberPerson, 'access' | 'user'> & { address: string; document: string }) {
    this.access = of.access
    this.user = of.user
    this.#address = of.address
    this.#document = of.document
  }

  get source(): string {
    return sourceOf(this.user, this.#address)
  }

  get peer(): string {
    return peerOf(this.source, this.#document)
  }
}

/** Whether it was refused by whoever decides, and not only for want of an answer or of room. */
function isRefusal({ code, closeCode }: Fault): boolean {
  return code === 'ERR_EXPIRED' || code === 'ERR_NOT_NOW' || (closeCode >= 4400 && closeCode <= 4499)
}
