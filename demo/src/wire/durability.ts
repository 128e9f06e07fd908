// When what a pane sent is known to be on the server's disk, from the messages alone. Hocuspocus acknowledges each
// update; y-websocket has no such message, so a SyncStep1 is the barrier (saved.ts) and its answer covers all before.
import type { Direction, WireMessage } from './frame.ts'
import type { Dialect } from './tap.ts'

/** Follows one pane over all its connections; `T` stands for a message that wants to be confirmed. */
export type Durability<T> = {
  opened(): void
  /** Returns what this message confirms, oldest first. */
  passed(direction: Direction, message: WireMessage, item: T): readonly T[]
}

/** `unacknowledged`: how many acknowledgements are due for what was sent before anybody watched. */
export function followDurability<T>(dialect: Dialect, unacknowledged: number): Durability<T> {
  return dialect === 'y-websocket' ? followBarriers() : followAcknowledgements(unacknowledged)
}

const carriesEdits = (message: WireMessage) => message.kind === 'Update' || message.kind === 'SyncStep2'

function followBarriers<T>(): Durability<T> {
  let waiting: T[] = []
  /** How many of `waiting` each SyncStep1 under way covers; answers come in its order. */
  let barriers: number[] = []
  /** What was made offline, or died with a connection, is covered from the answer to the server's question on. */
  let hasAnswered = true
  return {
    opened() {
      barriers = []
      hasAnswered = false
    },
    passed(direction, message, item) {
      if (direction === 'sent' && carriesEdits(message)) {
        if (message.kind === 'SyncStep2') hasAnswered = true
        waiting.push(item)
      }
      if (direction === 'sent' && message.kind === 'SyncStep1')
        barriers.push(hasAnswered ? waiting.length : 0)
      if (direction === 'sent' || message.kind !== 'SyncStep2') return []
      const confirmed = waiting.slice(0, barriers.shift() ?? 0)
      waiting = waiting.slice(confirmed.length)
      barriers = barriers.map(count => Math.max(0, count - confirmed.length))
      return confirmed
    }
  }
}

/** One place in the order of acknowledgements; empty when what it stands for was sent before anybody watched. */
type Due<T> = { item: T | null }

function followAcknowledgements<T>(unacknowledged: number): Durability<T> {
  let due: Due<T>[] = Array.from({ length: unacknowledged }, () => ({ item: null }))
  /** Sent, and covered by the next SyncStep2: it holds everything the server lacks (HP9). */
  let carried: T[] = []
  /** The place of the SyncStep2 that is to follow a SyncStep1. */
  let answer: Due<T> | null = null
  return {
    opened() {
      carried = [...carried, ...itemsOf(due)]
      due = []
      answer = null
    },
    passed(direction, message, item) {
      if (direction === 'sent' && message.kind === 'SyncStep1') {
        carried = [...carried, ...itemsOf(due)]
        answer = { item: null }
        due = [answer]
      }
      if (direction === 'sent' && message.kind === 'Update') due.push({ item })
      // One that answers a question of the server's own is not acknowledged (HP9).
      if (direction === 'sent' && message.kind === 'SyncStep2' && answer !== null) answer.item = item
      if (direction === 'sent' || message.kind !== 'SyncStatus' || !message.isSaved) return []
      const first = due.shift()
      if (first === undefined) return []
      const covered = first === answer ? carried : []
      if (first === answer) {
        carried = []
        answer = null
      }
      return first.item === null ? covered : [...covered, first.item]
    }
  }
}

function itemsOf<T>(due: readonly Due<T>[]): T[] {
  return due.flatMap(({ item }) => (item === null ? [] : [item]))
}
