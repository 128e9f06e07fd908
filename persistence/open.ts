/**
 * Stores by what a server is told: `:memory:`, a directory, or a URL whose scheme says which store. Everything that opens a
 * store by a setting does it here, the command's own work included.
 */
import { fileURLToPath } from 'node:url'
import { openLevelStore } from './leveldb.ts'
import { createMemoryStore } from './memory.ts'
import { shownAddress } from './postgres/address.ts'
import { openPostgresStore } from './postgres/postgres-store.ts'
import type { OnReport } from './reports.ts'
import { type Store, StoreError } from './store.ts'

export type OpenStoreOptions = {
  /** `sync` (the default): an append resolves when it would survive a power cut. `relaxed`: when the system has it. */
  readonly durability?: 'sync' | 'relaxed'
  /** Whether a missing store is made. Default true; with false the call rejects with STORE_MISSING. */
  readonly create?: boolean
  readonly onReport?: OnReport
}

type Opener = (location: string, options: OpenStoreOptions) => Promise<Store>

/** By the scheme of a URL, without its colon. Another kind of store is a line here. */
const openers: Readonly<Record<string, Opener>> = {
  file: (location, options) => openLevelStore(directoryOf(location), options),
  postgres: openPostgresStore,
  postgresql: openPostgresStore
}

/** `C:\data` and `notes-12:00` are directories. */
const schemeForm = /^(file|[a-z][a-z0-9+.-]+(?=:\/\/)):/i

/** Where documents lie on this machine, or null: they are in memory, or another service has them. */
export function directoryOfStore(location: string): string | null {
  if (location === ':memory:') return null
  const scheme = schemeForm.exec(location)?.[1]?.toLowerCase()
  if (scheme === undefined) return location
  return scheme === 'file' ? directoryOf(location) : null
}

/** The location without a password, for logs and messages. */
export function shownStore(location: string): string {
  const scheme = schemeForm.exec(location)?.[1]?.toLowerCase()
  return scheme === undefined || scheme === 'file' ? location : shownAddress(location)
}

/** Rejects with STORE_ARGUMENT when nothing here opens such a store, and with what its opener rejects with. */
export async function openStore(location: string, options: OpenStoreOptions = {}): Promise<Store> {
  if (location === ':memory:') {
    if (options.create !== false) return createMemoryStore()
    throw new StoreError(
      'STORE_MISSING',
      'What is kept in :memory: is in the server that keeps it, and nowhere else.'
    )
  }
  const scheme = schemeForm.exec(location)?.[1]?.toLowerCase()
  if (scheme === undefined) return openLevelStore(location, options)
  const open = Object.hasOwn(openers, scheme) ? openers[scheme] : undefined
  if (open !== undefined) return open(location, options)
  const known = Object.keys(openers).map(each => `${each}:`)
  throw new StoreError(
    'STORE_ARGUMENT',
    `There is no store for ${scheme}: addresses. Give a directory, :memory:, or an address with ${known.join(' or ')}.`
  )
}

function directoryOf(location: string): string {
  try {
    return fileURLToPath(location)
  } catch (cause) {
    throw new StoreError('STORE_ARGUMENT', `${location} is no address of a directory on this machine.`, {
      cause
    })
  }
}
