/** Which dialect a connection speaks (HP1, HP2), and its session. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Admission } from '../access/admission.ts'
import type { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Rooms } from '../room/rooms.ts'
import type { Time } from '../time.ts'
import type { Connection, Session } from './connection.ts'
import { UndecidedSession } from './first-frame.ts'
import { HocuspocusSession } from './hocuspocus-session.ts'
import { isRoot } from './path.ts'
import type { Stateless } from './stateless.ts'
import { openYWebsocketSession } from './y-websocket-session.ts'

/** Where Hocuspocus clients are served: wherever they show that they are such, at the path prefix itself, or nowhere. */
export type HocuspocusPaths = 'any-path' | 'root-path' | 'off'

export type SessionParts = {
  readonly rooms: Rooms
  readonly admission: Admission
  readonly stateless: Stateless
  readonly hocuspocus: HocuspocusPaths
  readonly time: Time
  readonly limits: Limits
}

/** What the upgrade request asked for. `pathPrefix` is not part of the document's name. */
export type Target = {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly pathPrefix: string
  /** The room that the path names, or null. */
  readonly document: string | null
}

/** The session of a new connection. */
export function openSession(connection: Connection, parts: SessionParts, target: Target): Session {
  const { url, headers, pathPrefix, document } = target
  const { time, limits, hocuspocus } = parts
  const attempt = { address: connection.address, headers, url }
  const openHocuspocus = () => new HocuspocusSession(connection, { ...parts, attempt })
  if (hocuspocus !== 'off' && isRoot(url, pathPrefix)) return openHocuspocus()
  const shared = { ...parts, connection, document, attempt }
  if (hocuspocus !== 'any-path') {
    const fail = (fault: Fault) => connection.end(fault)
    return openYWebsocketSession({ ...shared, decided: Promise.resolve(), fail })
  }
  return new UndecidedSession({
    connection,
    time,
    limits,
    isOpen: parts.admission.isOpen,
    yWebsocket: host => openYWebsocketSession({ ...shared, ...host }),
    hocuspocus: openHocuspocus
  })
}
