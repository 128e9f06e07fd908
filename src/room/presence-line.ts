/** What the rooms of one document tell each other of presence, and what a room needs of whoever carries it. Types alone. */
import type { DepartedClock } from './departed.ts'

/**
 * One state as its node publishes it; the state `null` says that it is gone. `number`: its place in the order in which
 * that room tells. `claimedAtMs`: when the clientID became its owner's, in wall time: of two claims the earlier one is
 * asked. `ageMs`: how long ago it was published.
 */
export type ToldState = {
  readonly number: number
  readonly clientID: number
  readonly clock: number
  readonly claimedAtMs: number
  readonly ageMs: number
  readonly state: Uint8Array
}

/**
 * All that a room has told after `since` and up to `upto`, the latest of each clientID alone, in order. `position`: what
 * its members had been shown of the document by then.
 */
export type ToldStates = {
  readonly type: 'states'
  readonly since: number
  readonly upto: number
  readonly position: LogPosition
  readonly states: readonly ToldState[]
}

/** How much of a document has been shown: the life of it, and the number of the last record. */
export type LogPosition = { readonly incarnation: string | null; readonly sequence: number }

/** Tells what was not heard: of all rooms, or of the one on that node. */
export type StatesAsked = { readonly type: 'ask'; readonly to: string | null; readonly since: number }

/** Clients here ignore these clientIDs unless their clocks are above these. */
export type HigherAsked = {
  readonly type: 'raise'
  readonly to: string
  readonly clocks: readonly KnownClock[]
}

export type KnownClock = { readonly clientID: number; readonly above: number }

/**
 * Who has left this document within the last minute, here or on a node that I heard, and with which clock: for a room that
 * has just been opened. They still know the clocks of those who are here.
 */
export type DepartedTold = {
  readonly type: 'departed'
  readonly to: string
  readonly clocks: readonly DepartedClock[]
}

/** Somebody here has a clientID that is yours: does your connection answer? */
export type OwnerAsked = {
  readonly type: 'claim'
  readonly to: string
  readonly question: number
  readonly clientID: number
}

/** `mine`: it does. `yours`: it is nobody's there; `clock` is the last that was published of it, or -1. */
export type OwnerAnswer = {
  readonly type: 'answer'
  readonly to: string
  readonly question: number
  readonly outcome: 'mine' | 'yours'
  readonly clock: number
}

/** The room has ended there. */
export type RoomLeft = { readonly type: 'left' }

export type PresenceMessage =
  | ToldStates
  | StatesAsked
  | HigherAsked
  | OwnerAsked
  | OwnerAnswer
  | RoomLeft
  | DepartedTold

/** A room that hears what the others tell. `epoch`: which of the rooms that node has had of the document. Nothing throws. */
export type PresenceListener = {
  /** States now: of its own members, and of others that its members are shown. */
  readonly ownCount: number
  readonly shownCount: number
  heard(from: string, epoch: number, message: PresenceMessage): void
  /** It has told so much. */
  stands(from: string, epoch: number, number: number): void
  /** Nothing has been heard of the node for too long. */
  silent(from: string): void
  /** Time for what is done now and then. */
  beat(): void
}

export type PresenceLine = {
  /** Best effort. Never throws. */
  send(message: PresenceMessage): void
  /** Has the others know, with the next beats, that so much has been told. */
  stands(number: number): void
  /** Begins anew, as if it were another room: what was told is told again from the first number. */
  renew(): void
  /** Says that the room has ended. */
  close(): void
}
