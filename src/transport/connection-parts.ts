/** What a connection is made of: its own socket, and what all connections of a server have in common. */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Time } from '../base/time.ts'
import type { Accounts } from './accounts.ts'
import type { Turns } from './turns.ts'
import type { Shares } from './unfinished.ts'

/** What is this connection's own. */
export type ConnectionParts = {
  readonly socket: WebSocket
  /** The stream under the WebSocket: frames are written to it whole, so that one encoding serves all sockets. */
  readonly stream: Duplex
  readonly id: string
  /** Who is at the other end: of the socket, or of the proxies that are trusted to say so. */
  readonly address: string
}

/** What all connections of a server have in common. */
export type ConnectionHost<Of> = {
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
  /** What each of them may send. */
  readonly accounts: Accounts
  readonly turns: Turns
  /** What all of them may keep of messages that cannot be handled yet. */
  readonly shares: Shares
  /** Somebody at this address made no sense. Returns how long they wait for the answer. */
  readonly refused: (address: string) => number
  /** The socket of one from this address is gone. Called once for each. */
  readonly disconnected: (address: string) => void
  readonly onClosed: (connection: Of) => void
}
