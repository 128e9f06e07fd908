/**
 * What the store keeps of rights that were changed by a call: one value of its metadata, which several servers write to by
 * compare-and-set, and look at again by its digest.
 */
import { createHash } from 'node:crypto'
import type { MetadataStore } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Access } from './grant.ts'

export type Entry = { readonly access: Access; readonly untilMs: number }

/** That everybody whom `key` names is to be asked about again; kept until `untilMs`. */
export type KeptRecheck = { readonly key: string; readonly untilMs: number }

export type KeptRights = {
  /** By whom they concern: `keyOf`. */
  readonly revocations: ReadonlyMap<string, Entry>
  /** By a random id. */
  readonly rechecks: ReadonlyMap<string, KeptRecheck>
}

export type RightsStore = Pick<MetadataStore, 'readMetadata' | 'swapMetadata' | 'metadataDigest'>

/** Where they lie in the store's metadata. */
const metadataKey = 'revocations'

/** Of each of these attempts that is in vain, another server's was not. */
const attemptsMax = 1_000

const nothing: KeptRights = { revocations: new Map(), rechecks: new Map() }

/** Names whom something concerns; with neither, everybody. */
export function keyOf(user: string | undefined, document: string | undefined): string {
  return JSON.stringify([user ?? null, document ?? null])
}

export class RightsKeeper {
  readonly #store: RightsStore
  /** As last seen or written. */
  #bytes: Uint8Array | null = null
  #rights: KeptRights = nothing
  /** The last call: one at a time, so that what is seen late never takes the place of what was seen after it. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(store: RightsStore) {
    this.#store = store
  }

  /** What the store has now. Rejects with what it rejects with, and with ERR_INTERNAL for what cannot be read. */
  read(): Promise<KeptRights> {
    return this.#inTurn(async () => {
      const digest = await this.#store.metadataDigest(metadataKey)
      if (!isDigestOf(digest, this.#bytes)) await this.#readAgain()
      return this.#rights
    })
  }

  /**
   * Resolves, when it is durable, to what the store has now. `change` is called again when another server has written
   * meanwhile. Rejects as `read`, and with ERR_STORE.
   */
  write(change: (present: KeptRights) => KeptRights): Promise<KeptRights> {
    return this.#inTurn(async () => {
      for (let attempt = 1; attempt <= attemptsMax; attempt++) {
        const rights = change(this.#rights)
        const bytes = encode(rights)
        if (await this.#store.swapMetadata(metadataKey, this.#bytes, bytes)) {
          this.#bytes = bytes
          this.#rights = rights
          return rights
        }
        await this.#readAgain()
      }
      throw new Fault('ERR_STORE', 'other servers change rights faster than this one can')
    })
  }

  async #readAgain(): Promise<void> {
    const bytes = await this.#store.readMetadata(metadataKey)
    this.#rights = bytes === null ? nothing : parse(bytes)
    this.#bytes = bytes
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => {})
    return turn
  }
}

function isDigestOf(digest: Uint8Array | null, bytes: Uint8Array | null): boolean {
  if (digest === null || bytes === null) return digest === bytes
  return createHash('sha256').update(bytes).digest().equals(digest)
}

function encode({ revocations, rechecks }: KeptRights): Uint8Array | null {
  if (revocations.size === 0 && rechecks.size === 0) return null
  const entries = [...revocations].map(([key, { access, untilMs }]) => [key, access, untilMs])
  const asked = [...rechecks].map(([id, { key, untilMs }]) => [id, key, untilMs])
  return Buffer.from(
    JSON.stringify({ version: 1, entries, ...(asked.length === 0 ? {} : { rechecks: asked }) })
  )
}

function parse(bytes: Uint8Array): KeptRights {
  const { version, entries, rechecks = [] } = fieldsOf(bytes)
  if (version !== 1 || !isListOf(entries, isRevocation) || !isListOf(rechecks, isRecheck))
    throw unreadable(null)
  return {
    revocations: new Map(entries.map(([key, access, untilMs]) => [key, { access, untilMs }])),
    rechecks: new Map(rechecks.map(([id, key, untilMs]) => [id, { key, untilMs }]))
  }
}

function fieldsOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    return { ...(JSON.parse(Buffer.from(bytes).toString()) as object) }
  } catch (cause) {
    throw unreadable(cause)
  }
}

function isListOf<T>(value: unknown, isOne: (each: unknown) => each is T): value is readonly T[] {
  return Array.isArray(value) && value.every(isOne)
}

function isRevocation(entry: unknown): entry is readonly [key: string, access: Access, untilMs: number] {
  if (!Array.isArray(entry)) return false
  const [key, access, untilMs] = entry as readonly unknown[]
  return typeof key === 'string' && (access === 'none' || access === 'read') && typeof untilMs === 'number'
}

function isRecheck(entry: unknown): entry is readonly [id: string, key: string, untilMs: number] {
  if (!Array.isArray(entry)) return false
  const [id, key, untilMs] = entry as readonly unknown[]
  return typeof id === 'string' && typeof key === 'string' && typeof untilMs === 'number'
}

function unreadable(cause: unknown): Fault {
  return new Fault('ERR_INTERNAL', `what the store has under ${metadataKey} cannot be read`, { cause })
}
