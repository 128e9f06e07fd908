/** Which dialect a connection speaks (HP1, HP2), and its session. */
import type { Visitor } from '../access/grant.ts'
import type { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Time } from '../time.ts'
import type { Connection, Session } from './connection.ts'
import { UndecidedSession } from './first-frame.ts'
import { HocuspocusSession } from './hocuspocus-session.ts'
import { documentOfPath, isRoot } from './path.ts'
import type { SeatParts } from './seat.ts'
import type { Stateless } from './stateless.ts'
import { openYWebsocketSession } from './y-websocket-session.ts'

/** Where Hocuspocus clients are served: wherever they show that they are such, at the path prefix itself, or nowhere. */
export type HocuspocusPaths = 'any-path' | 'root-path' | 'off'

export type SessionParts = SeatParts & {
  readonly stateless: Stateless
  readonly hocuspocus: HocuspocusPaths
  readonly time: Time
  readonly limits: Limits
}

/** What the upgrade request asked for. `pathPrefix` is not part of the document's name. */
export type Target = { readonly visitor: Visitor; readonly pathPrefix: string }

/** The session of a new connection. */
export function openSession(connection: Connection, parts: SessionParts, target: Target): Session {
  const { visitor, pathPrefix } = target
  const { time, limits, hocuspocus } = parts
  const openHocuspocus = () => new HocuspocusSession(connection, { ...parts, visitor })
  if (hocuspocus !== 'off' && isRoot(visitor.url, pathPrefix)) return openHocuspocus()
  const { document } = documentOfPath(visitor.url, pathPrefix)
  const shared = { ...parts, connection, document, visitor }
  if (hocuspocus !== 'any-path') {
    const fail = (fault: Fault) => connection.end(fault)
    return openYWebsocketSession({ ...shared, decided: Promise.resolve(), fail })
  }
  return new UndecidedSession({
    connection,
    time,
    limits,
    isOpen: parts.passes.admission.isOpenTo(visitor),
    yWebsocket: host => openYWebsocketSession({ ...shared, ...host }),
    hocuspocus: openHocuspocus
  })
}
