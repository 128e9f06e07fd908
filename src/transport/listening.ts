/**
 * Listens to a WebSocket and to the stream under it with functions that all connections have in common, which find their
 * connection at the socket: a function for each event of each connection would be a quarter of what an idle one keeps.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** What is told of the events. No method may throw. */
export type SocketOwner = {
  messageArrived(data: Buffer, isBinary: boolean): void
  pingArrived(data: Buffer): void
  pongArrived(): void
  socketClosed(): void
  socketFailed(error: Error & { code?: string }): void
  /** The stream takes more. */
  drained(): void
}

/** What is told of the bytes that the stream brings. */
export type StreamReader = {
  chunkArrived(chunk: Buffer): void
}

const owner = Symbol('owner')
const reader = Symbol('reader')

type Owned = { [owner]?: SocketOwner }
type Read = { [reader]?: StreamReader }

export function listen(socket: WebSocket & Owned, stream: Duplex & Owned, to: SocketOwner): void {
  socket[owner] = to
  stream[owner] = to
  socket.on('message', messageArrived)
  socket.on('ping', pingArrived)
  socket.on('pong', pongArrived)
  socket.on('close', socketClosed)
  socket.on('error', socketFailed)
  stream.on('drain', drained)
}

/** Hands over whatever the stream brings from now on, in the order of the calls. */
export function listenForBytes(stream: Duplex & Read, to: StreamReader): void {
  stream[reader] = to
  stream.on('data', chunkArrived)
}

function messageArrived(this: WebSocket & Owned, data: Buffer, isBinary: boolean): void {
  this[owner]?.messageArrived(data, isBinary)
}

function pingArrived(this: WebSocket & Owned, data: Buffer): void {
  this[owner]?.pingArrived(data)
}

function pongArrived(this: WebSocket & Owned): void {
  this[owner]?.pongArrived()
}

function socketClosed(this: WebSocket & Owned): void {
  this[owner]?.socketClosed()
}

function socketFailed(this: WebSocket & Owned, error: Error): void {
  this[owner]?.socketFailed(error)
}

function drained(this: Duplex & Owned): void {
  this[owner]?.drained()
}

function chunkArrived(this: Duplex & Read, chunk: Buffer): void {
  this[reader]?.chunkArrived(chunk)
}
