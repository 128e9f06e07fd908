/**
 * Upgrades of an HTTP server, in order with whoever else listens for them. On a server of the application's other
 * listeners are asked first, so to speak: they run in the turn of the request, and what none of them has taken is ours.
 * Nothing here throws: an exception in a listener ends the process.
 */
import type { Server as HttpServer, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { toFault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Time } from '../base/time.ts'
import { isUnder, pathOf } from './path.ts'
import { isForNobody, refuseUpgrade, servedPath } from './refuse-upgrade.ts'

type Parts = {
  /** The prefix below which documents are served. */
  readonly path: string
  /** Whether the HTTP server is Chorus's own, so that nobody else listens. */
  readonly whose: 'own' | 'application'
  /** An upgrade has come, whoever takes it. */
  readonly arrived: (stream: Duplex) => void
  /** Takes an upgrade below the path. */
  readonly take: (request: IncomingMessage, stream: Duplex, head: Buffer) => void
  readonly time: Time
  readonly log: Log
}

/** Begins to listen. The returned function ends it. */
export function takeUpgrades(httpServer: HttpServer, parts: Parts): () => void {
  const { path: prefix, whose, log } = parts
  let hasWarned = false
  const warnOnce = (fields: Record<string, unknown>, message: string) => {
    if (!hasWarned) log.warn(fields, message)
    hasWarned = true
  }
  const take = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    try {
      parts.take(request, stream, head)
    } catch (error) {
      log.error({ error: toFault(error), path: prefix }, 'an upgrade could not be taken')
      stream.destroy()
    }
  }
  const upgraded = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    parts.arrived(stream)
    const path = pathOf(request.url ?? '/')
    if (!isUnder(path, prefix)) {
      if (whose === 'own' || isForNobody(path, httpServer, listener)) refuseUpgrade(stream, '404 Not Found')
      return
    }
    const others = httpServer.listenerCount('upgrade') - 1
    if (whose === 'own' || others === 0) return take(request, stream, head)
    const before = writtenOf(stream)
    // Nobody listens on it for a moment, and whoever connects may reset it.
    const ignore = () => {}
    stream.on('error', ignore)
    parts.time.soon(() => {
      stream.off('error', ignore)
      if (!isTaken(stream, before)) {
        if (prefix === '/')
          warnOnce({ path: prefix, others }, 'upgrades that no other listener takes are documents')
        return take(request, stream, head)
      }
      // With a path of its own this is a mistake in how the application is put together.
      if (prefix !== '/')
        warnOnce({ path: prefix }, 'another listener took an upgrade below the path of documents')
    })
  }
  const listener = Object.assign(upgraded, { [servedPath]: prefix })
  httpServer.on('upgrade', listener)
  return () => void httpServer.off('upgrade', listener)
}

/** Whoever takes an upgrade reads from the stream, answers on it, or ends it. A fresh one has none of that. */
function isTaken(stream: Duplex, writtenBefore: number): boolean {
  if (stream.destroyed || stream.writableEnded) return true
  return (
    stream.listenerCount('data') + stream.listenerCount('readable') > 0 || writtenOf(stream) > writtenBefore
  )
}

/** Bytes written so far, those of requests before this one included. */
function writtenOf(stream: Duplex): number {
  return 'bytesWritten' in stream && typeof stream.bytesWritten === 'number' ? stream.bytesWritten : 0
}
