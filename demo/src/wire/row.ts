// One line of the wire view.
import type { Seat } from '../person.ts'
import type { Author } from './author.ts'
import type { Dialect } from './tap.ts'

export type Durable =
  /** Carries no edits of this pane, or nobody watched until it was known. */
  | { readonly phase: 'none' }
  | { readonly phase: 'waiting' }
  /** From the sending to the message that says so: it was on disk by then. */
  | { readonly phase: 'durable'; readonly afterMs: number }

export type WireRow = {
  readonly id: number
  readonly seat: Seat
  readonly dialect: Dialect
  /** A connection that opens or closes is told as well, and that messages were missed. */
  readonly way: 'sent' | 'received' | 'opened' | 'closed' | 'missed'
  readonly connection: number
  readonly atMs: number
  /** `Update`, `Awareness`…; empty for a connection. */
  readonly type: string
  readonly bytes: number
  /** The first of its bytes, as many as are kept. */
  readonly head: Uint8Array
  readonly address: string | null
  readonly authors: readonly Author[]
  /** What it did, in one line. */
  readonly words: string
  /** The same in full. */
  readonly effects: readonly string[]
  /** The update it carries, if there is one and it was kept. */
  readonly update: Uint8Array | null
  durable: Durable
}

/** What is kept of a message for its bytes and structs: 500 of these are at most 16 MB. */
export const keptBytesMax = 16_384
