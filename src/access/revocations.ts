/**
 * Rights that were taken away here, whatever a token still says: for a user, a document, or a user in a document. Kept
 * in memory for a time that the caller chooses; longer than tokens live, they need no keeping.
 */
import { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Time } from '../time.ts'
import { type Access, lesserAccess } from './grant.ts'

/** Whom it concerns: at least one of the two. */
export type Whom = { readonly user?: string; readonly document?: string }

export type Revocation = Whom & {
  /** What is left to them. Default `none`. `write` takes back what was taken away. */
  readonly access?: Access
  /** For how long. Default: 24 hours. */
  readonly seconds?: number
}

type Entry = { readonly access: Access; readonly untilMs: number }

export class Revocations {
  readonly #time: Time
  readonly #limits: Limits
  readonly #entries = new Map<string, Entry>()

  constructor(time: Time, limits: Limits) {
    this.#time = time
    this.#limits = limits
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

function keyOf(user: string | undefined, document: string | undefined): string {
  return JSON.stringify([user ?? null, document ?? null])
}
