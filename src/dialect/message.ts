/**
 * The messages of every dialect as one union, and what a dialect must be able to write. A room speaks in these
 * terms only; which bytes they are is the dialect's business.
 */
import type { Frame } from './frame.ts'

/** `update`, `stateVector` and `states` are views of the received frame: copy what is kept past the tick (I9). */
export type Message =
  | { readonly type: 'sync-step-1'; readonly stateVector: Uint8Array }
  | { readonly type: 'sync-step-2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly states: Uint8Array }
  | { readonly type: 'query-awareness' }
  /** From now on it wants to know which of its updates are on disk. Its dialect's own receipts end with that. */
  | { readonly type: 'ask-acknowledgements' }

/** The first message of some bytes, and how many of them it is: what follows is another one. */
export type First<M> = { readonly message: M; readonly length: number }

/** Writes server messages as frames, for one dialect (and routing key). Frames of equal `key` are interchangeable. */
export type Encoder = {
  readonly key: string
  readonly syncStep1: (stateVector: Uint8Array) => Frame
  readonly update: (update: Uint8Array) => Frame
  /** The empty SyncStep2 that ends a join: on it a client says that it is synced. */
  readonly endMarker: () => Frame
  /** `states` as y-protocols encodes an awareness update. */
  readonly awareness: (states: Uint8Array) => Frame
  /** Asks for the states a client knows, its own among them; null where clients send back whatever they are sent. */
  readonly queryAwareness: () => Frame | null
  /** A message that changes nothing: clients give up a connection on which no message came for 30 s. */
  readonly keepAlive: () => Frame
  /** Says why, to clients that cannot read a close code. */
  readonly denied: (reason: string) => Frame
  /** Each SyncStep1 is answered with one of ours, in place of a greeting. */
  readonly asksBack: boolean
  /** To a member that has asked: so many of its updates are durable; and which one was not taken, counted from 1. */
  readonly acknowledged: (count: number) => Frame
  readonly notTaken: (number: number) => Frame
  /** One update is durable; null in a dialect whose clients do not count. */
  readonly saved: () => Frame | null
  /** One update was not taken; null where nothing but a close says so. */
  readonly notSaved: (why: 'malformed' | 'read-only' | 'old-copy') => Frame | null
}
