/**
 * Who brought something: an update of the log, or what was set aside. Never where from: an address says little of who
 * it was, and what is stored stays for years. How an author is marked in stored bytes, and what the names mean that
 * earlier formats had instead, is here too, for records and set-aside entries alike.
 */

/**
 * The way it came: from a client, from the application by `apply` or `change` or over HTTP, as what `load` gave, as what
 * brings a document back to what it was, or from an agent.
 */
export type Origin = 'client' | 'server' | 'load' | 'restore' | 'agent'

/**
 * `user`: the id of whoever it was, as the grant or the application names them; null where nobody signed in or is named.
 * `connection`: tells one connection from all others, also of other runs of the server; null where none was involved.
 */
export type Author = {
  readonly user: string | null
  readonly connection: string | null
  readonly origin: Origin
}

/** In the order of their numbers, from 1; 0 stands for an author who is not known. Later ones go behind. */
const origins: readonly Origin[] = ['client', 'server', 'load', 'restore', 'agent']
const originMask = 0x0f
export const userMark = 0x10
export const connectionMark = 0x20
/** Marks above are of no format that is known here. */
export const authorMarksMax = originMask | userMark | connectionMark

/** One byte: the number of the origin, and which strings follow: the user, then the connection. Null: not known. */
export function authorMarks(author: Author | null): number {
  if (author === null) return 0
  const strings = (author.user === null ? 0 : userMark) | (author.connection === null ? 0 : connectionMark)
  return (origins.indexOf(author.origin) + 1) | strings
}

/** The author of those marks; `text` reads the next string. Null also for an origin that only later versions know. */
export function readAuthor(marks: number, text: () => string): Author | null {
  const user = (marks & userMark) === 0 ? null : text()
  const connection = (marks & connectionMark) === 0 ? null : text()
  const origin = origins[(marks & originMask) - 1]
  return origin === undefined ? null : { user, connection, origin }
}

/** `<address>/<connection>`, as connections were named once. */
const connectionName = /^(?:unknown|[\da-f]*[.:][\da-f.:]*(?:%[^/]*)?)\/([\w-]{8}(?:-\d+)?)$/i

/**
 * The author whom records up to version 2, and set-aside entries of kind 06, had as one name. Of a connection's name,
 * the address is left out.
 */
export function authorOfName(name: string): Author | null {
  if (name === '') return null
  if (name === 'server' || name === 'load') return { user: null, connection: null, origin: name }
  const connection = connectionName.exec(name)?.[1]
  if (connection !== undefined) return { user: null, connection, origin: 'client' }
  return { user: name, connection: null, origin: 'server' }
}
