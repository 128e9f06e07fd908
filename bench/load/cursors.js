/**
 * People moving their cursors. Each keeps its awareness state as y-protocols would: clientID, clock, JSON. A state
 * begins with the number of the move, at a fixed place, as a server may publish a clock of its own.
 */
import * as encoding from 'lib0/encoding'
import { Latency } from './latency.js'
import { seeded } from './random.js'
import { clientIDOf, writerOf } from './typing.js'

const digits = 7
/** Where the digits are, in `{"n":"0000001",…`. */
const digitsAt = 6
const names = ['Ada Lovelace', 'Grace Hopper', 'Alan Kay', 'Barbara Liskov', 'Edsger Dijkstra', 'Lynn Conway']

export class Cursors {
  latency = new Latency()
  moves = 0
  /** Awareness entries that arrived, news or not; and those that were news. */
  entries = 0
  news = 0
  echoes = 0
  #clientIDs
  #moved
  #clocks
  #movedAt
  #known = []

  constructor({ people, movesMax, seed = 1 }) {
    const random = seeded(seed)
    this.#clientIDs = Array.from({ length: people }, (_, person) => clientIDOf(person, random))
    this.#moved = new Uint32Array(people)
    this.#clocks = new Uint32Array(people)
    this.#movedAt = Array.from({ length: people }, () => new Float64Array(movesMax + 1))
  }

  /** The person's next awareness update. */
  move(person) {
    const number = ++this.#moved[person]
    this.#movedAt[person][number] = performance.now()
    this.moves++
    return this.#write(person)
  }

  /** The same state with the next clock, as every client sends every 15 s. */
  renew(person) {
    return this.#write(person)
  }

  #write(person) {
    const number = String(this.#moved[person]).padStart(digits, '0')
    const at = {
      type: { client: this.#clientIDs[person], clock: 4 * this.#moved[person] },
      tname: null,
      assoc: 0
    }
    const user = { name: names[person % names.length], color: '#30bced', colorLight: '#30bced33' }
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, 1)
    encoding.writeVarUint(encoder, this.#clientIDs[person])
    encoding.writeVarUint(encoder, ++this.#clocks[person])
    encoding.writeVarString(encoder, JSON.stringify({ n: number, user, cursor: { anchor: at, head: at } }))
    return encoding.toUint8Array(encoder)
  }

  /**
   * A receiver of awareness updates. `echo(bytes, start, end)`, if given, is called with updates that were news, as
   * y-websocket clients send those back.
   */
  receiver(person, echo = null) {
    const seen = { person, moves: new Uint32Array(this.#moved.length), clocks: new Map() }
    this.#known.push(seen)
    return (bytes, start, end) => {
      if (this.#receive(seen, bytes, start, end) && echo !== null) {
        this.echoes++
        echo(bytes, start, end)
      }
    }
  }

  /** Whether everyone has seen everyone's last move. */
  get isSettled() {
    return this.missing === 0
  }

  get missing() {
    let missing = 0
    for (const { person, moves } of this.#known) {
      for (let other = 0; other < this.#moved.length; other++) {
        if (other !== person && moves[other] < this.#moved[other]) missing++
      }
    }
    return missing
  }

  #receive({ person, moves, clocks }, bytes, start) {
    at = start
    let isNews = false
    const now = performance.now()
    for (let left = varUint(bytes); left > 0; left--) {
      const clientID = varUint(bytes)
      const clock = varUint(bytes)
      const length = varUint(bytes)
      const state = at
      at += length
      this.entries++
      const other = writerOf(clientID)
      if (other === person) continue
      const isGone = length === 4
      const known = clocks.get(clientID) ?? 0
      if (clock < known || (clock === known && !isGone)) continue
      clocks.set(clientID, clock)
      isNews = true
      if (!isGone) this.#saw(moves, other, numberAt(bytes, state + digitsAt), now)
    }
    return isNews
  }

  /** A move that a newer one has overtaken on the way counts as seen with that one. */
  #saw(moves, other, number, now) {
    const movedAt = this.#movedAt[other]
    for (let move = moves[other] + 1; move <= number; move++) this.latency.add(now - movedAt[move])
    if (number > moves[other]) {
      this.news += number - moves[other]
      moves[other] = number
    }
  }
}

function numberAt(bytes, position) {
  let value = 0
  for (let i = position; i < position + digits; i++) value = value * 10 + bytes[i] - 48
  return value
}

let at = 0

function varUint(bytes) {
  let value = 0
  let factor = 1
  for (;;) {
    const byte = bytes[at++]
    value += (byte & 127) * factor
    if (byte < 128) return value
    factor *= 128
  }
}
