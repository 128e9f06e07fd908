/**
 * Rights that were taken away here or on another server, whatever a token still says: for a user, a document, or a user in
 * a document. Kept for a time that the caller chooses, and in the store, so that a restart gives nothing back.
 */
import { randomBytes } from 'node:crypto'
import { above0, oneOf, text } from '../base/check.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import { type Access, lesserAccess } from './grant.ts'
import {
  type Entry,
  type KeptRecheck,
  type KeptRights,
  keyOf,
  RightsKeeper,
  type RightsStore
} from './kept-rights.ts'

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

/** Whom changes concern: a predicate of a user's id and a document. */
export type Concerned = (user: string | null, document: string) => boolean

export class Revocations {
  readonly #time: Time
  readonly #limits: Limits
  /** Those that the store had when it was looked at last, and on top of them those that it does not have yet. */
  #entries = new Map<string, Entry>()
  /** Not in the store yet; null: given back. */
  readonly #unsaved = new Map<string, Entry | null>()
  readonly #unsavedRechecks = new Map<string, KeptRecheck>()
  /** Of rechecks that were carried out here, or were there before this server. */
  #knownRechecks: ReadonlySet<string> = new Set()
  /** Keys of what other servers have changed since `changes` was called last. */
  readonly #changed = new Set<string>()
  #lookedAtMs = 0
  #keeper: RightsKeeper | null = null
  #waiting: Promise<void> | null = null

  constructor(time: Time, limits: Limits) {
    this.#time = time
    this.#limits = limits
  }

  /**
   * Takes up those that the store has, if their time is not over; from now on `save` writes there. Rejects with what the
   * store rejects with, and with ERR_INTERNAL for what is none: nobody may be let in who was put out.
   */
  async restore(store: RightsStore): Promise<void> {
    this.#keeper = new RightsKeeper(store)
    this.#take(await this.#keeper.read())
    // Whoever is connected was asked about after these.
    this.#changed.clear()
    this.#lookedAtMs = this.#time.nowMs()
  }

  /** Resolves when all that was added before is durable. Those that come together are written together. */
  save(): Promise<void> {
    if (this.#keeper === null) return Promise.resolve()
    this.#waiting ??= this.#save(this.#keeper)
    return this.#waiting
  }

  /** What other servers have changed since the last call; null: nothing. What could not be saved is tried again. */
  async changes(): Promise<Concerned | null> {
    if (this.#keeper === null) return null
    if (this.#unsaved.size + this.#unsavedRechecks.size > 0) await this.save()
    this.#take(await this.#keeper.read())
    const { recheckNoteMs } = this.#limits
    const nowMs = this.#time.nowMs()
    // Notes may have come and gone since.
    if (nowMs - this.#lookedAtMs > recheckNoteMs / 2) this.#changed.add(keyOf(undefined, undefined))
    this.#lookedAtMs = nowMs
    if (this.#changed.size === 0) return null
    const changed = new Set(this.#changed)
    this.#changed.clear()
    return (user, document) => keysOf(user, document).some(key => changed.has(key))
  }

  async #save(keeper: RightsKeeper): Promise<void> {
    let written = new Map<string, Entry | null>()
    let noted: readonly string[] = []
    const kept = await keeper.write(present => {
      // From here on, what is added goes with the next one.
      this.#waiting = null
      written = new Map(this.#unsaved)
      noted = [...this.#unsavedRechecks.keys()]
      return this.#merged(present)
    })
    for (const [key, entry] of written) if (this.#unsaved.get(key) === entry) this.#unsaved.delete(key)
    for (const id of noted) this.#unsavedRechecks.delete(id)
    this.#take(kept)
  }

  /** What the store is to have: what it has, and what is not saved yet, without what is over. */
  #merged({ revocations, rechecks }: KeptRights): KeptRights {
    const nowMs = this.#time.wallMs()
    const isOn = ([, { untilMs }]: readonly [string, { readonly untilMs: number }]) => untilMs > nowMs
    const asked = [...rechecks, ...this.#unsavedRechecks].filter(isOn)
    return {
      revocations: new Map([...overlaid(revocations, this.#unsaved)].filter(isOn)),
      rechecks: new Map(asked.length > this.#limits.recheckNotesMax ? this.#forEverybody() : asked)
    }
  }

  #forEverybody(): [string, KeptRecheck][] {
    return [[newId(), { key: keyOf(undefined, undefined), untilMs: this.#recheckUntilMs() }]]
  }

  #take({ revocations, rechecks }: KeptRights): void {
    const entries = overlaid(revocations, this.#unsaved)
    for (const key of new Set([...entries.keys(), ...this.#entries.keys()])) {
      if (entries.get(key)?.access !== this.#entries.get(key)?.access) this.#changed.add(key)
    }
    this.#entries = entries
    for (const [id, { key }] of rechecks) if (!this.#knownRechecks.has(id)) this.#changed.add(key)
    this.#knownRechecks = new Set([...rechecks.keys(), ...this.#unsavedRechecks.keys()])
  }

  /** Throws ERR_OVERLOADED when there are as many as may be: forgetting one would let somebody in again. */
  add({ user, document, access = 'none', seconds = 86_400 }: Revocation): void {
    const key = keyOf(user, document)
    this.#entries.delete(key)
    if (access === 'write') {
      this.#unsaved.set(key, null)
      return
    }
    const { revocationsMax } = this.#limits
    if (this.#entries.size >= revocationsMax) this.#forgetOver()
    if (this.#entries.size >= revocationsMax) {
      throw new Fault('ERR_OVERLOADED', `${revocationsMax} revocations are kept`)
    }
    const entry = { access, untilMs: this.#time.wallMs() + seconds * 1000 }
    this.#entries.set(key, entry)
    this.#unsaved.set(key, entry)
  }

  /** Other servers are to ask about them again, also those that cannot be told at once. */
  noteRecheck({ user, document }: Whom): void {
    const id = newId()
    this.#unsavedRechecks.set(id, { key: keyOf(user, document), untilMs: this.#recheckUntilMs() })
    this.#knownRechecks = new Set([...this.#knownRechecks, id])
  }

  /** The most that a user may have in a document. */
  ceiling(user: string | null, document: string): Access {
    if (this.#entries.size === 0) return 'write'
    const keys = keysOf(user, document)
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

  #recheckUntilMs(): number {
    return this.#time.wallMs() + this.#limits.recheckNoteMs
  }
}

/** A restart, and the clocks of other servers, do not make two of them one. */
function newId(): string {
  return randomBytes(9).toString('base64url')
}

/** Everything that concerns a user in a document. */
function keysOf(user: string | null, document: string): string[] {
  const everyone = [keyOf(undefined, undefined), keyOf(undefined, document)]
  return user === null ? everyone : [...everyone, keyOf(user, undefined), keyOf(user, document)]
}

function overlaid(
  below: ReadonlyMap<string, Entry>,
  above: ReadonlyMap<string, Entry | null>
): Map<string, Entry> {
  const all = new Map(below)
  for (const [key, entry] of above) {
    if (entry === null) all.delete(key)
    else all.set(key, entry)
  }
  return all
}
