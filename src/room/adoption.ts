/**
 * Takes up checkpoints that the store has by another node's doing, or by this one's: the room's own is replaced, and the
 * records that it stands for leave the tail. Members are shown nothing by it. So it waits until everything that the
 * checkpoint stands for has been shown here, and checkpoint and rest of the log are always of one load.
 */
import type { LoadedDocument, Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Slices } from '../base/slices.ts'
import { type Time, within } from '../base/time.ts'
import { createCheckpoint, quarantineOf, readCheckpointMeta } from '../document/checkpoint.ts'
import type { Steps } from '../document/steps.ts'
import { carriedInSteps, type NewCheckpoint } from './compaction.ts'
import type { Life } from './journal.ts'

type Parts = {
  readonly store: Pick<Store, 'load'>
  readonly slices: Slices
  readonly time: Time
  readonly limits: { readonly freshHeadMs: number }
  readonly log: Log
}

type Opened = {
  readonly name: string
  readonly life: Life
  /** How often something of the document had been refused by the checkpoint it was opened with. */
  readonly quarantines: number
}

type Host = {
  /** Of the checkpoint in use; 0: none. */
  generation(): number
  /** Resolves when everything up to the number is shown. Rejects with what ended the room. */
  reached(sequence: number): Promise<void>
  replace(checkpoint: NewCheckpoint): void
  /** What is in memory here was built with updates that are refused by now, and which connections had sent. */
  quarantined(connections: ReadonlySet<string>): void
}

type StoredCheckpoint = NonNullable<LoadedDocument['checkpoint']>

export class Adoption {
  readonly #opened: Opened
  readonly #parts: Parts
  readonly #host: Host
  /** The newest generation that is known of. */
  #told = 0
  /** One that cannot be read here; and one that is read, and waits for what it stands for. */
  #unreadable = 0
  #coming = 0
  #looking: Promise<void> | null = null
  /** Checkpoints that compactions here have found or written: one at a time, but for those that wait to be shown. */
  #brought = 0
  #isClosed = false

  constructor(opened: Opened, parts: Parts, host: Host) {
    this.#opened = opened
    this.#parts = parts
    this.#host = host
  }

  /** A checkpoint is on its way into the room: what the log costs will change. */
  get isUnderWay(): boolean {
    return this.#looking !== null || this.#brought > 0
  }

  /** The store has this generation. Cheap when it is known already; told again until it is taken up. */
  told(generation: number): void {
    if (this.#isClosed || generation <= Math.max(this.#host.generation(), this.#coming, this.#unreadable))
      return
    this.#told = Math.max(this.#told, generation)
    if (this.#looking === null) void this.#look()
  }

  /** Resolves when what the store has now is taken up, or cannot be in time. Never rejects. */
  async looked(): Promise<void> {
    const { time, limits } = this.#parts
    const late = new Fault('ERR_STORE', 'the new checkpoint cannot be read')
    const look = async () => {
      // What is under way may have begun before there was a newer one.
      await this.#looking
      await this.#look()
    }
    // Whoever waits looks itself whether there is another one now.
    await within(look(), { time, ms: limits.freshHeadMs, late }).catch(() => {})
  }

  /** As it was loaded from the store, for another purpose. Never rejects. */
  found(loaded: LoadedDocument): Promise<void> {
    return this.#bring(this.#take(loaded))
  }

  /** This node has written it. Never rejects. */
  written(checkpoint: NewCheckpoint): Promise<void> {
    return this.#bring(this.#replace(checkpoint))
  }

  /** The room has ended. */
  close(): void {
    this.#isClosed = true
  }

  async #bring(taking: Promise<void>): Promise<void> {
    this.#brought++
    await taking.catch(error => this.#failed(error))
    this.#brought--
  }

  #look(): Promise<void> {
    const looking = this.#lookOften().finally(() => {
      if (this.#looking === looking) this.#looking = null
    })
    this.#looking = looking
    return looking
  }

  /** Again while that leads on: others may write faster than this node loads. Never rejects. */
  async #lookOften(): Promise<void> {
    for (let before = -1; before < this.#host.generation(); ) {
      before = this.#host.generation()
      try {
        await this.#take(await this.#parts.store.load(this.#opened.name))
      } catch (error) {
        return this.#failed(error)
      }
      if (this.#isClosed || this.#told <= this.#host.generation()) return
    }
  }

  /** Whatever it was, this is told of again. */
  #failed(error: unknown): void {
    if (this.#isClosed) return
    const { name: document } = this.#opened
    this.#parts.log.warn({ error, document }, 'a checkpoint in the store could not be taken up')
  }

  async #take(loaded: LoadedDocument): Promise<void> {
    const { checkpoint } = loaded
    // Of another life: the heads say so, and end the room.
    if (this.#isClosed || loaded.incarnation !== this.#opened.life.incarnation) return
    if (checkpoint === null || checkpoint.generation <= this.#host.generation()) return
    const read = await this.#read(loaded, checkpoint)
    if (read !== null) await this.#replace(read)
  }

  /** Null: the room cannot go on with it. */
  async #read(loaded: LoadedDocument, checkpoint: StoredCheckpoint): Promise<NewCheckpoint | null> {
    try {
      const { count, refused } = quarantineOf(checkpoint.meta)
      if (count > this.#opened.quarantines) {
        const since = refused.filter(({ quarantine }) => quarantine > this.#opened.quarantines)
        this.#host.quarantined(new Set(since.map(({ connection }) => connection)))
        return null
      }
      return await this.#parts.slices.run(readLoaded(loaded, checkpoint), null)
    } catch (error) {
      this.#unreadable = checkpoint.generation
      throw error
    }
  }

  async #replace(checkpoint: NewCheckpoint): Promise<void> {
    if (this.#isClosed) return
    const { generation } = checkpoint.checkpoint
    this.#coming = Math.max(this.#coming, generation)
    await this.#host.reached(checkpoint.sequence)
    if (!this.#isClosed && generation > this.#host.generation()) this.#host.replace(checkpoint)
  }
}

function* readLoaded(loaded: LoadedDocument, checkpoint: StoredCheckpoint): Steps<NewCheckpoint> {
  const { generation, meta: bytes, segments } = checkpoint
  const meta = yield* readCheckpointMeta(bytes)
  const sequence = coveredTo(loaded)
  const kept = loaded.records.filter(record => record.sequence <= sequence)
  const carried = yield* carriedInSteps(kept)
  return { checkpoint: createCheckpoint(generation, meta, segments), meta, sequence, carried }
}

/** The last record that lies in the checkpoint. Numbers are dense: it is before those that follow without a gap. */
function coveredTo({ head, records }: LoadedDocument): number {
  let sequence = head
  for (const record of records.toReversed()) {
    if (record.sequence !== sequence) break
    sequence--
  }
  return sequence
}
