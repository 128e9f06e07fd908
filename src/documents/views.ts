/** The views of all documents that are watched, and the one thread that works for them. */
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import { programBeside, WorkerHost } from '../document/worker-host.ts'
import type { Room } from '../room/room.ts'
import { View } from './view.ts'
import type { ViewAnswer, ViewJob, ViewTypes } from './view-thread.ts'

type Parts = { readonly time: Time; readonly limits: Limits }

/** The thread holds documents between jobs: it must not end because it has none for a while. */
const neverMs = 2 ** 31 - 1

export class Views {
  readonly #parts: Parts
  readonly #views = new Map<string, View>()
  #thread: WorkerHost<ViewJob, ViewAnswer> | null = null
  /** Threads that were ended, until they are gone. */
  #ending: Promise<unknown> = Promise.resolve()
  #opened = 0
  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * The view of a room's document for these root types. Throws ERR_OVERLOADED, ERR_ANSWER_TOO_LARGE for a document that is
   * too large for one, ERR_GOING_DOWN, and as `Room.enter`.
   */
  of(room: Room, types: ViewTypes): View {
    const key = JSON.stringify([room.name, Object.entries(types).sort()])
    return this.#views.get(key) ?? this.#open(key, room, types)
  }

  /** Closes all, and resolves when the thread has ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const view of [...this.#views.values()]) view.close()
    await this.#ending
  }

  #open(key: string, room: Room, types: ViewTypes): View {
    const { limits } = this.#parts
    if (this.#isClosed) throw new Fault('ERR_GOING_DOWN')
    if (this.#views.size >= limits.viewsMax)
      throw new Fault('ERR_OVERLOADED', `${limits.viewsMax} views are open`)
    if (room.document.bytes > limits.viewDocumentBytesMax) {
      throw new Fault('ERR_ANSWER_TOO_LARGE', `a document of ${room.document.bytes} bytes`)
    }
    this.#thread ??= new WorkerHost({
      program: programBeside(import.meta.url, 'documents', 'view-thread'),
      memoryMegabytes: limits.workerMegabytesMax,
      queueMax: limits.workerQueueMax,
      idleMs: neverMs
    })
    const thread = this.#thread
    const number = ++this.#opened
    const onClosed = () => this.#closed(key, { thread, number })
    const view = new View({ ...this.#parts, room, thread, number, types, onClosed })
    this.#views.set(key, view)
    return view
  }

  #closed(
    key: string,
    { thread, number }: { thread: WorkerHost<ViewJob, ViewAnswer>; number: number }
  ): void {
    this.#views.delete(key)
    if (this.#views.size === 0) {
      this.#thread = null
      this.#ending = Promise.all([this.#ending, thread.close()])
      return
    }
    const pack = () => Promise.resolve({ job: { type: 'close', view: number } as const, transfer: [] })
    const { viewDeadlineMs: deadlineMs } = this.#parts.limits
    // One that failed has lost its thread, and its document with it.
    thread.run({ document: String(number), pack, deadlineMs }).catch(() => {})
  }
}
