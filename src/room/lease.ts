/**
 * A member without a connection: its presence is what somebody says over HTTP, for a time. It is sent nothing, and never
 * asks for the document.
 */
import type { Fault } from '../base/errors.ts'
import { writeAwarenessUpdate } from '../dialect/awareness-update.ts'
import type { Frame } from '../dialect/frame.ts'
import type { Encoder } from '../dialect/message.ts'
import { Member, type MemberPerson, type Port } from './member.ts'
import type { Room } from './room.ts'

const silence: Frame = []
const nothing = () => silence

/** Nobody reads what it writes. */
const encoder: Encoder = {
  key: 'lease',
  syncStep1: nothing,
  update: nothing,
  endMarker: nothing,
  awareness: nothing,
  queryAwareness: () => null,
  keepAlive: nothing,
  denied: nothing,
  asksBack: true,
  saved: () => null,
  notSaved: () => null,
  acknowledged: nothing,
  notTaken: nothing
}

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
    const end = (_fault: Fault) => {
      this.end()
      onEnd()
    }
    this.#member = new Member(portOf(id, end), encoder, person)
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

function portOf(id: string, end: (fault: Fault) => void): Port {
  const ignore = () => {}
  return {
    id,
    send: ignore,
    feed: () => 'flowing',
    end,
    // As long as the lease lasts, it answers.
    ping: () => () => true,
    probe: async () => true,
    pause: ignore,
    resume: ignore,
    hold: ignore,
    release: ignore,
    charge: ignore
  }
}
