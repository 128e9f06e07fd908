/** Which dialect a connection speaks (HP1, HP2), and its session. */
import type { Visitor } from '../access/grant.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import type { Connection } from './connection.ts'
import { RootSession, UndecidedSession } from './first-frame.ts'
import { HocuspocusSession } from './hocuspocus-session.ts'
import { documentOfPath, isNameInQuery, isRoot } from './path.ts'
import type { SeatParts } from './seat.ts'
import type { Session } from './session.ts'
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
  const openHocuspocus = () => new HocuspocusSession(connection, { commons: parts, visitor })
  if (hocuspocus !== 'off' && isRoot(visitor.url, pathPrefix)) {
    const fault = new Fault(isNameInQuery(visitor.url, pathPrefix) ? 'ERR_ROOM_IN_QUERY' : 'ERR_ROOM_NAME')
    return new RootSession(connection, openHocuspocus(), fault)
  }
  const document = isNameInQuery(visitor.url, pathPrefix)
    ? new Fault('ERR_ROOM_IN_QUERY')
    : documentOfPath(visitor.url, pathPrefix)
  const own = { seats: parts, connection, document, visitor }
  return new UndecidedSession({
    connection,
    time,
    limits,
    isOpen: parts.passes.admission.isOpenTo(visitor),
    yWebsocket: entrance => openYWebsocketSession(own, entrance),
    hocuspocus: hocuspocus === 'any-path' ? openHocuspocus : notServed
  })
}

/** Such a client would wait for ever if its frames were taken for messages of a type that nobody knows. */
function notServed(): never {
  throw new Fault('ERR_BAD_MESSAGE', 'Hocuspocus clients are not served at this path')
}
