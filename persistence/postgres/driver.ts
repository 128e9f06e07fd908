/** The package `pg`: an optional one, loaded when a store in PostgreSQL is opened. Only this folder knows it. */
import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg'
import { StoreError } from '../store.ts'

export type { Pool, PoolClient, QueryConfig, QueryResult }
export type Driver = { readonly Pool: typeof Pool }

/** Rejects with STORE_ARGUMENT when the package is not installed. */
export async function loadDriver(): Promise<Driver> {
  try {
    const { default: pg } = await import('pg')
    return pg
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND'
    if (!isMissing) throw new StoreError('STORE_FAILED', 'The package pg could not be loaded', { cause })
    throw new StoreError('STORE_ARGUMENT', 'Documents in PostgreSQL need the package pg: npm install pg')
  }
}
