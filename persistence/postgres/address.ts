/**
 * The address of a store in PostgreSQL: `postgres://user:password@host:port/database?schema=chorus&prepare=no`. What is
 * ours is taken out of it; the rest goes to the driver. A password is never in what is shown.
 */
import { StoreError } from '../store.ts'

export type PostgresAddress = {
  /** For the driver. Holds the password. */
  readonly connectionString: string
  readonly schema: string
  /** Whether statements that come often are prepared: not behind a pooler that gives each transaction another connection. */
  readonly isPreparing: boolean
}

const schemaForm = /^[a-z_][a-z0-9_]{0,40}$/

/** Throws STORE_ARGUMENT, without the address in its message. */
export function readAddress(location: string): PostgresAddress {
  if (!URL.canParse(location)) throw new StoreError('STORE_ARGUMENT', 'The address of PostgreSQL is no URL')
  const url = new URL(location)
  const schema = url.searchParams.get('schema') ?? 'chorus'
  if (!schemaForm.test(schema)) {
    throw new StoreError('STORE_ARGUMENT', 'A schema is named with a to z, 0 to 9 and _, at most 41 of them')
  }
  const prepare = url.searchParams.get('prepare') ?? 'yes'
  if (prepare !== 'yes' && prepare !== 'no') throw new StoreError('STORE_ARGUMENT', 'prepare is yes or no')
  url.searchParams.delete('schema')
  url.searchParams.delete('prepare')
  return { connectionString: url.href, schema, isPreparing: prepare === 'yes' }
}

/** The address without what is secret in it: for logs and messages. */
export function shownAddress(location: string): string {
  if (!URL.canParse(location)) return `${location.split(':')[0]}://…`
  const url = new URL(location)
  const shown = `${url.protocol}//${url.host}${url.pathname}`
  const schema = url.searchParams.get('schema')
  return schema === null ? shown : `${shown}?schema=${schema}`
}
