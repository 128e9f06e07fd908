/** A room's way in for what no member sends: the application, restores, edits of those who have no copy. */
import type { Author } from '../../persistence/author.ts'
import type { Fault } from '../base/errors.ts'
import type { Slices, Work } from '../base/slices.ts'
import type { Document } from '../document/document.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import type { Commits } from './commits.ts'
import { judgedInSlices } from './intake.ts'
import type { RestoreSource } from './source.ts'
import type { Watch } from './watches.ts'

type Host = {
  readonly commits: Commits
  /** What ended the room, or null. */
  readonly ended: () => Fault | null
}

export class Writing {
  readonly #document: Document
  readonly #slices: Slices
  readonly #host: Host

  constructor(document: Document, slices: Slices, host: Host) {
    this.#document = document
    this.#slices = slices
    this.#host = host
  }

  /** As in `Commits`. */
  get restores(): number {
    return this.#host.commits.restores
  }

  /**
   * Commits an update. Resolves when it, or what it repeats, is durable and broadcast. Rejects with what ended the room (the
   * update may be durable then; it may be applied again) or ERR_UPDATE_TOO_LARGE.
   */
  async apply(scanned: ScannedUpdate, author: Author): Promise<void> {
    this.#check()
    const work = this.#applied(scanned, author)
    // What is small is committed in the order of the calls.
    if (work.next().done !== true) await this.#slices.run(work, null)
    await this.#host.commits.durable()
  }

  /** As `Commits.restore`; throws what ended the room. */
  async restore(scanned: ScannedUpdate, source: RestoreSource): Promise<number | null> {
    const judged = await this.#slices.run(judgedInSlices(this.#document, scanned), null)
    this.#check()
    return this.#host.commits.restore(judged, source)
  }

  /** What comes from now on: see `RestoreSource`. */
  watch(): Watch {
    return this.#host.commits.watches.begin()
  }

  /** As `Commits.durable`. */
  durable(): Promise<void> {
    return this.#host.commits.durable()
  }

  *#applied(scanned: ScannedUpdate, author: Author): Work<void> {
    const judged = yield* judgedInSlices(this.#document, scanned)
    this.#check()
    this.#host.commits.commit(judged, author)
  }

  #check(): void {
    const fault = this.#host.ended()
    if (fault !== null) throw fault
  }
}
