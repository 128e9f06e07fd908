/**
 * What changes a document by its history, and the history by what people say of it: restores and undos, and versions with
 * names. Questions about the past are in history-reads.ts, what makes a restore happen once in restores.ts.
 */
import { checkOptions, listOf, matching, type ShapeOf, text } from '../base/check.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Time } from '../base/time.ts'
import type { KeptHistories } from '../history/kept.ts'
import type { Manifest, Version } from '../history/manifest.ts'
import { withNamed, withoutVersion } from '../history/restore-entries.ts'
import { orStoreFault } from '../room/store-fault.ts'
import type {
  HistoryMoment,
  HistoryVersion,
  NameOptions,
  RestoreAnswer,
  RestoreOptions,
  UndoQuestion
} from './history-api.ts'
import { outcomeOf } from './history-outcome.ts'
import type { HistoryReads, TakingBack } from './history-reads.ts'
import type { HistoryViews } from './history-views.ts'
import type { RestoreQuestion, RestoreSettings, Restores } from './restores.ts'
import { placeOf } from './version-place.ts'

type Parts = {
  readonly restores: Restores
  readonly reads: Pick<HistoryReads, 'restored' | 'undone'>
  readonly views: Pick<HistoryViews, 'read' | 'kept' | 'blob'>
  readonly kept: KeptHistories
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Pick<Metrics, 'historyRestored'>
  readonly newId: () => string
}

const signal = matching<AbortSignal>('an AbortSignal', value => value instanceof AbortSignal)

export const restoreShape = {
  author: text('the id of a user'),
  key: text('a key of at least one character', /./s),
  roots: listOf('a list of names of root types', text('a name')),
  signal
} as const satisfies ShapeOf<RestoreOptions>

export const nameShape = {
  moment: matching<HistoryMoment>('a moment', isMoment),
  author: text('the id of a user')
} as const satisfies ShapeOf<NameOptions>

export class HistoryChanges {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async restore(
    document: string,
    moment: HistoryMoment,
    options: RestoreOptions = {}
  ): Promise<RestoreAnswer> {
    const call = 'history.restore'
    checkOptions(call, options, restoreShape)
    checkMoment(call, moment)
    const { roots = null, signal } = options
    const { reads, restores } = this.#parts
    const question: RestoreQuestion = {
      text: JSON.stringify(['restore', moment, roots]),
      compute: input => reads.restored({ document, signal }, moment, taking(input, roots))
    }
    const settings = this.#settingsOf(call, options)
    return this.#counted('restore', restores.once(document, question, settings))
  }

  async undo(document: string, asked: UndoQuestion, options: RestoreOptions = {}): Promise<RestoreAnswer> {
    const call = 'history.undo'
    checkOptions(call, options, restoreShape)
    const { by, from, to = null } = checkedUndo(call, asked)
    const { roots = null, signal } = options
    const { reads, restores } = this.#parts
    const undone = { by, after: from, upTo: to }
    const question: RestoreQuestion = {
      text: JSON.stringify(['undo', undone, roots]),
      compute: input => reads.undone({ document, signal }, undone, taking(input, roots))
    }
    const settings = this.#settingsOf(call, options)
    return this.#counted('undo', restores.once(document, question, settings))
  }

  /** ERR_TOO_MANY_VERSIONS; else as `DocumentHistory` says. */
  async name(document: string, name: string, options: NameOptions = {}): Promise<HistoryVersion> {
    const call = 'history.name'
    checkOptions(call, options, nameShape)
    const { views, time, limits, newId } = this.#parts
    const { moment, author } = options
    this.#checkText(`the name of a version`, name)
    if (author !== undefined) this.#checkText('author', author)
    const place = await views.read(document, view => placeOf(view, moment ?? null, views))
    const version: Version = {
      ...{ id: newId(), name, kind: 'named', ...place },
      ...{ madeMs: time.wallMs(), author: author ?? null }
    }
    const isNamed = await this.#change(document, manifest => withNamed(manifest, version, limits.versionsMax))
    if (!isNamed) throw new Fault('ERR_TOO_MANY_VERSIONS')
    return version
  }

  /** False: there was none. */
  async unname(document: string, id: string): Promise<boolean> {
    if (typeof id !== 'string') throw new TypeError('history.unname takes the id of a version, a string')
    return this.#change(document, manifest => withoutVersion(manifest, id))
  }

  async #counted(kind: 'restore' | 'undo', restoring: Promise<RestoreAnswer>): Promise<RestoreAnswer> {
    const { metrics } = this.#parts
    try {
      const answer = await restoring
      metrics.historyRestored(kind, answer.isChanged ? 'changed' : 'unchanged')
      return answer
    } catch (error) {
      metrics.historyRestored(kind, outcomeOf(error))
      throw error
    }
  }

  /** False: there was nothing to change. */
  async #change(document: string, edit: (manifest: Manifest) => Manifest | null): Promise<boolean> {
    const { kept, views } = this.#parts
    const { incarnation } = await views.kept(document)
    let isRefused = false
    const changing = kept.change(document, incarnation, now => {
      const manifest = edit(now.manifest)
      isRefused = manifest === null
      return manifest === null ? null : { manifest }
    })
    const after = await changing.catch((error: unknown) => {
      throw orStoreFault(error)
    })
    if (after === null && !isRefused) throw new Fault('ERR_DELETED')
    return after !== null
  }

  #settingsOf(call: string, { author, key, signal }: RestoreOptions): RestoreSettings {
    if (author !== undefined) this.#checkText(`author of ${call}`, author)
    if (key !== undefined) this.#checkText(`key of ${call}`, key)
    return { user: author ?? null, key: key ?? null, signal: signal ?? null }
  }

  #checkText(what: string, value: unknown): void {
    const lengthMax = this.#parts.limits.versionNameLengthMax
    const isText =
      typeof value === 'string' && value !== '' && value.length <= lengthMax && value.isWellFormed()
    if (!isText) throw new TypeError(`${what} is a well-formed string of 1 to ${lengthMax} UTF-16 units`)
  }
}

function taking(
  { now, copies, client }: Omit<TakingBack, 'roots'>,
  roots: readonly string[] | null
): TakingBack {
  return { now, copies, client, roots }
}

function checkedUndo(call: string, asked: UndoQuestion) {
  const { from, to } = asked
  checkMoment(call, from)
  if (to !== undefined) checkMoment(call, to)
  const [user, connection] = [
    'user' in asked ? asked.user : null,
    'connection' in asked ? asked.connection : null
  ]
  if (typeof user === 'string' && connection === null) return { by: { user }, from, to }
  if (typeof connection === 'string' && user === null) return { by: { connection }, from, to }
  throw new TypeError(`${call} takes either a user or a connection, a string`)
}

function checkMoment(call: string, moment: unknown): void {
  if (!isMoment(moment)) {
    throw new TypeError(`${call} takes moments { timeMs }, { sequence } or { version }`)
  }
}

function isMoment(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const members = Object.entries(value)
  const [[name, at] = []] = members
  if (members.length !== 1) return false
  if (name === 'version') return typeof at === 'string'
  return (name === 'sequence' || name === 'timeMs') && Number.isSafeInteger(at) && Number(at) >= 0
}
