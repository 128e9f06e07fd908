/**
 * A member without a connection: its presence is what somebody says over HTTP, for a time. It is sent nothing, and never
 * asks for the document.
 */
import type { Fault } from '../base/errors.ts'
import { writeAwarenessUpdate } from '../dialect/awareness-update.ts'
import { silentEncoder } from '../dialect/silent-encoder.ts'
import { Member, type MemberPerson } from './member.ts'
import type { Room } from './room.ts'
import { SilentPort } from './silent-port.ts'

/** Nobody reads what it writes. */
const encoder = silentEncoder('lease')

type Options = { readonly id: string; readonly clientID: number; readonly person: MemberPerson }

export class Lease {
  readonly #room: Room
  readonly #member: Member
  readonly #clientID: number
  #clock = 0
  #isOver = false

  /** `onEnd`: the room has ended it. Throws as `Room.enter`. */
  constructor(room: Room, { id, clientID, person }: Options, onEnd: () => void) {
    this.#room = room
    this.#clientID = clientID
    const end = () => {
      this.end()
      onEnd()
    }
    this.#member = new Member(new LeasePort(id, end), encoder, person)
    room.enter(this.#member)
  }

  get clientID(): number {
    return this.#clientID
  }

  /** The whole state, in place of the one before. Throws ERR_BAD_MESSAGE for one that is too large or too deep. */
  show(state: Readonly<Record<string, unknown>>): void {
    if (this.#isOver) return
    const entry = {
      clientID: this.#clientID,
      clock: ++this.#clock,
      state: Buffer.from(JSON.stringify(state))
    }
    this.#room.receive(this.#member, { type: 'awareness', states: writeAwarenessUpdate([entry]) })
  }

  /** It is seen no more. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#room.leave(this.#member)
  }
}

/** As long as the lease lasts, it answers. */
class LeasePort extends SilentPort {
  readonly id: string
  readonly #onEnd: () => void

  constructor(id: string, onEnd: () => void) {
    super()
    this.id = id
    this.#onEnd = onEnd
  }

  end(_fault: Fault): void {
    this.#onEnd()
  }
}
