/** Everybody who was let in: how many connections a user has, and whose rights are to be looked at again. */
import { checkOptions, type Shape } from '../base/check.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import type { Admission } from './admission.ts'
import type { Admitted, Attempt } from './grant.ts'
import { type Holder, Pass } from './pass.ts'
import { type Revocation, revocationShape, type Whom, whomShape } from './revocations.ts'

/** How many connections to a document were looked at again, and of these, how many may now do more or less, or nothing. */
export type Rechecked = { readonly checked: number; readonly changed: number; readonly ended: number }

type Parts = { readonly admission: Admission; readonly time: Time; readonly limits: Limits }

export class Passes {
  readonly admission: Admission
  readonly #parts: Parts
  readonly #passes = new Set<Pass>()
  /** Per user, the connections and how many documents each has open. */
  readonly #users = new Map<string, Map<string, number>>()
  readonly #userOf = new Map<Pass, string>()
  /** Null: there are no other servers to be told. */
  #tell: ((whom: Whom) => void) | null = null

  constructor(parts: Parts) {
    this.#parts = parts
    this.admission = parts.admission
  }

  /**
   * Asks whether the attempt is granted, and keeps what it was granted for as long as its holder is there. Rejects as
   * `Admission.admit`, and with ERR_OVERLOADED when the user has as many connections as one may have.
   */
  async issue(
    attempt: Attempt,
    { connection, holder }: { connection: string; holder: Holder }
  ): Promise<Pass> {
    const admitted = await this.admission.admit(attempt)
    this.#checkRoomFor(admitted, connection)
    const onOver = (pass: Pass) => this.#over(pass)
    const pass: Pass = new Pass(
      { ...this.#parts, onOver, check: renewed => this.#checkRoomFor(renewed, connection) },
      { attempt, admitted, connection },
      {
        granted: (renewed, purpose) => {
          this.#count(pass)
          holder.granted(renewed, purpose)
        },
        expires: () => holder.expires(),
        refused: fault => holder.refused(fault)
      }
    )
    this.#passes.add(pass)
    this.#count(pass)
    return pass
  }

  /** Asks again about everybody whom it concerns; who cannot be asked about is out. Rejects with TypeError, see `asks`. */
  async recheck(whom: Whom): Promise<Rechecked> {
    if (!this.admission.asks) throw new TypeError('nobody is asked who they are, so no rights can change')
    checkWhom('server.recheck', whom, whomShape)
    if (this.#tell === null) return this.#recheck(pass => concerns(whom, pass))
    this.admission.revocations.noteRecheck(whom)
    return this.#recheckAndSave(whom, 'done on this server, but others may not know of it')
  }

  /** From now on other servers are told of what is asked for here, when they can find it in the store. */
  shareWith(tell: (whom: Whom) => void): void {
    this.#tell = tell
  }

  /**
   * Looks at what other servers have changed, and asks again about whom it concerns, and about whom they have named. Rejects
   * with what the store rejects with; about whom they have named it has asked even then.
   */
  async learn(named: readonly Whom[]): Promise<void> {
    if (!this.admission.asks) return
    const [changes] = await Promise.allSettled([this.admission.revocations.changes()])
    const changed = changes.status === 'fulfilled' ? changes.value : null
    if (named.length > 0 || changed !== null) {
      await this.#recheck(pass => {
        const isChanged = changed?.(pass.admitted.user?.id ?? null, pass.document) === true
        return isChanged || named.some(whom => concerns(whom, pass))
      })
    }
    if (changes.status === 'rejected') throw changes.reason
  }

  async #recheck(isConcerned: (pass: Pass) => boolean): Promise<Rechecked> {
    this.admission.rightsChanged()
    const waiting = [...this.#passes].filter(isConcerned)
    const result = { checked: waiting.length, changed: 0, ended: 0 }
    const next = async () => {
      for (let pass = waiting.pop(); pass !== undefined; pass = waiting.pop()) {
        const outcome = await pass.recheck()
        if (outcome === 'changed') result.changed++
        if (outcome === 'ended') result.ended++
      }
    }
    await Promise.all(Array.from({ length: this.#parts.limits.rechecksMax }, next))
    return result
  }

  /** Takes rights away, whatever tokens say, and applies it. Rejects with ERR_OVERLOADED, ERR_STORE, and as `recheck`. */
  async revoke(revocation: Revocation): Promise<Rechecked> {
    if (!this.admission.asks) throw new TypeError('nobody is asked who they are, so no rights can change')
    checkWhom('server.revoke', revocation, revocationShape)
    this.admission.revocations.add(revocation)
    return this.#recheckAndSave(revocation, 'the revocation holds until a restart: it could not be stored')
  }

  /** Applied at once, whatever the store says; but nobody is told that it is done before a restart, or another server, keeps it. */
  async #recheckAndSave(whom: Whom, otherwise: string): Promise<Rechecked> {
    const saving = this.admission.revocations.save().finally(() => this.#tell?.(whom))
    const [rechecked, saved] = await Promise.allSettled([this.#recheck(pass => concerns(whom, pass)), saving])
    if (rechecked.status === 'rejected') throw rechecked.reason
    if (saved.status === 'rejected') throw new Fault('ERR_STORE', otherwise, { cause: saved.reason })
    return rechecked.value
  }

  #checkRoomFor({ user }: Admitted, connection: string): void {
    const connections = user === null ? undefined : this.#users.get(user.id)
    const { connectionsPerUserMax } = this.#parts.limits
    if (connections === undefined || connections.has(connection)) return
    if (connections.size < connectionsPerUserMax) return
    throw new Fault('ERR_OVERLOADED', `the user has ${connectionsPerUserMax} connections`)
  }

  /** Under the user that it is for now. */
  #count(pass: Pass): void {
    const user = pass.admitted.user?.id
    if (this.#userOf.get(pass) === user) return
    this.#forget(pass)
    if (user === undefined) return
    const connections = this.#users.get(user) ?? new Map<string, number>()
    connections.set(pass.connection, (connections.get(pass.connection) ?? 0) + 1)
    this.#users.set(user, connections)
    this.#userOf.set(pass, user)
  }

  #forget(pass: Pass): void {
    const user = this.#userOf.get(pass)
    if (user === undefined) return
    this.#userOf.delete(pass)
    const connections = this.#users.get(user)
    const left = (connections?.get(pass.connection) ?? 1) - 1
    if (left > 0) connections?.set(pass.connection, left)
    else connections?.delete(pass.connection)
    if (connections?.size === 0) this.#users.delete(user)
  }

  #over(pass: Pass): void {
    this.#passes.delete(pass)
    this.#forget(pass)
  }
}

function concerns({ user, document }: Whom, pass: Pass): boolean {
  if (user !== undefined && pass.admitted.user?.id !== user) return false
  return document === undefined || pass.document === document
}

/** Nobody named is a mistake, and not everybody. */
function checkWhom(call: string, whom: Whom, shape: Shape): void {
  checkOptions(call, whom, shape)
  if (whom?.user === undefined && whom?.document === undefined) {
    throw new TypeError(`${call}: whose rights? name a user, a document or both`)
  }
}
