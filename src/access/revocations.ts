/**
 * Rights that were taken away here, whatever a token still says: for a user, a document, or a user in a document. Kept
 * for a time that the caller chooses, and in the store, so that a restart gives nothing back.
 */
import type { MetadataStore } from '../../persistence/store.ts'
import { above0, oneOf, text } from '../base/check.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import { type Access, lesserAccess } from './grant.ts'

/** Whom it concerns: at least one of the two. */
export type Whom = {
  /** The id of a user. */
  readonly user?: string
  /** The name of a document. */
  readonly document?: string
}

/** Every option of `server.recheck`, and what it may be. */
export const whomShape = {
  user: text('the id of a user', /./),
  document: text('the name of a document', /./)
}

export type Revocation = Whom & {
  /** What is left to them. Default `none`. `write` takes back what was taken away. */
  readonly access?: Access
  /** For how long. Default: 24 hours. */
  readonly seconds?: number
}

const secondsMax = 10 * 366 * 86_400

/** Every option of `server.revoke`, and what it may be. */
export const revocationShape = {
  ...whomShape,
  access: oneOf('none', 'read', 'write'),
  seconds: above0(secondsMax)
}

/** Where they lie in the store's metadata. */
const metadataKey = 'revocations'

type Entry = { readonly access: Access; readonly untilMs: number }

export class Revocations {
  readonly #time: Time
  readonly #limits: Limits
  readonly #entries = new Map<string, Entry>()
  #store: MetadataStore | null = null
  /** The last write that was asked for, and whether it has begun: it writes all that came before it began. */
  #writing: Promise<void> = Promise.resolve()
  #waiting: Promise<void> | null = null

  constructor(time: Time, limits: Limits) {
    this.#time = time
    this.#limits = limits
  }

  /**
   * Takes up those that the store has, if their time is not over; from now on `save` writes there. Rejects with what the
   * store rejects with, and with ERR_INTERNAL for what is none: nobody may be let in who was put out.
   */
  async restore(store: MetadataStore): Promise<void> {
    this.#store = store
    const stored = await store.readMetadata(metadataKey)
    if (stored === null) return
    for (const [key, access, untilMs] of parse(stored)) {
      if (untilMs > this.#time.wallMs()) this.#entries.set(key, { access, untilMs })
    }
  }

  /** Resolves when all that was added before is durable. Those that come together are written together. */
  save(): Promise<void> {
    const write = async () => {
      this.#waiting = null
      await this.#store?.writeMetadata(metadataKey, this.#encode())
    }
    if (this.#waiting === null) {
      this.#waiting = this.#writing.then(write)
      this.#writing = this.#waiting.catch(() => {})
    }
    return this.#waiting
  }

  #encode(): Uint8Array | null {
    this.#forgetOver()
    if (this.#entries.size === 0) return null
    const entries = [...this.#entries].map(([key, { access, untilMs }]) => [key, access, untilMs])
    return Buffer.from(JSON.stringify({ version: 1, entries }))
  }

  /** Throws ERR_OVERLOADED when there are as many as may be: forgetting one would let somebody in again. */
  add({ user, document, access = 'none', seconds = 86_400 }: Revocation): void {
    const key = keyOf(user, document)
    this.#entries.delete(key)
    if (access === 'write') return
    const { revocationsMax } = this.#limits
    if (this.#entries.size >= revocationsMax) this.#forgetOver()
    if (this.#entries.size >= revocationsMax) {
      throw new Fault('ERR_OVERLOADED', `${revocationsMax} revocations are kept`)
    }
    this.#entries.set(key, { access, untilMs: this.#time.wallMs() + seconds * 1000 })
  }

  /** The most that a user may have in a document. */
  ceiling(user: string | null, document: string): Access {
    if (this.#entries.size === 0) return 'write'
    const keys = [keyOf(undefined, document)]
    if (user !== null) keys.push(keyOf(user, undefined), keyOf(user, document))
    return keys.reduce<Access>((least, key) => lesserAccess(least, this.#accessOf(key)), 'write')
  }

  #accessOf(key: string): Access {
    const entry = this.#entries.get(key)
    return entry === undefined || entry.untilMs <= this.#time.wallMs() ? 'write' : entry.access
  }

  #forgetOver(): void {
    const nowMs = this.#time.wallMs()
    for (const [key, { untilMs }] of this.#entries) if (untilMs <= nowMs) this.#entries.delete(key)
  }
}

type Stored = readonly [key: string, access: Access, untilMs: number]

function parse(stored: Uint8Array): readonly Stored[] {
  try {
    const { version, entries } = JSON.parse(Buffer.from(stored).toString()) as Record<string, unknown>
    if (version === 1 && Array.isArray(entries) && entries.every(isStored)) return entries
  } catch (cause) {
    throw unreadable(cause)
  }
  throw unreadable(null)
}

function isStored(entry: unknown): entry is Stored {
  if (!Array.isArray(entry)) return false
  const [key, access, untilMs] = entry as readonly unknown[]
  return typeof key === 'string' && (access === 'none' || access === 'read') && typeof untilMs === 'number'
}

function unreadable(cause: unknown): Fault {
  return new Fault('ERR_INTERNAL', `what the store has under ${metadataKey} cannot be read`, { cause })
}

function keyOf(user: string | undefined, document: string | undefined): string {
  return JSON.stringify([user ?? null, document ?? null])
}
