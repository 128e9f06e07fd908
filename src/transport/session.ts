/** What a dialect makes of a connection: what it is told of it, in which order. */
import type { Frame } from '../dialect/frame.ts'

export type Session = {
  /**
   * Takes the first message of the bytes, which are the session's only until it returns, and returns how many they were.
   * Zero: none can be taken now, and the connection has been paused until one can. May throw.
   */
  receive(bytes: Uint8Array): number
  /** The socket takes more after `feed` returned `full`. */
  drained(): void
  /**
   * As much was read as may be before somebody is let in. What is not whole yet will not be, until then: the session sees to
   * it that this is decided.
   */
  full(): void
  /** A message that changes nothing, sent when nothing else was for a while. */
  keepAlive(): Frame
  /**
   * The socket is closed. Of what it keeps that cannot be handled yet, it holds the connection for as long as that takes,
   * as it does on the way in: whoever sends and leaves is not to lose it.
   */
  linger(): void
  /** The connection is over or about to be. Called once. */
  closed(): void
}
