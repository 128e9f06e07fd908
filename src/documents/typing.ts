/** Text that comes at a pace people can follow: the steps of an edit after its first, each committed in its time. */
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Slices } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import { ClockRuns } from '../document/clocks.ts'
import type { EditStep } from '../editing/jobs.ts'
import { scanInSlices } from '../room/intake.ts'
import type { Rooms } from '../room/rooms.ts'
import { applyIn } from './applying.ts'
import type { EditCall } from './edit-api.ts'

type Parts = {
  readonly rooms: Pick<Rooms, 'open'>
  readonly slices: Slices
  readonly time: Time
  readonly limits: Limits
}

export class Typing {
  readonly #parts: Parts
  /** Ends the waits under way. Bounded by the edits that are. */
  readonly #waits = new Set<(fault: Fault) => void>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** How many words a step has; null: all of them. Long texts come faster, so that no caller waits without end. */
  wordsAtOnce({ key, wordsPerSecond, question }: EditCall): number | null {
    if (key !== null || wordsPerSecond === null || question.kind !== 'text') return null
    const { agentTypingMsMax, agentStepMs } = this.#parts.limits
    const [change] = question.changes
    const words = change !== undefined && 'text' in change ? wordsIn(change.text) : 0
    const steps = Math.max(1, Math.floor(agentTypingMsMax / agentStepMs))
    return Math.max(1, Math.round((wordsPerSecond * agentStepMs) / 1000), Math.ceil(words / steps))
  }

  /** False: somebody deleted what was written last, and nothing more of it was. `last`: its clock, of the client that writes. */
  async type(call: EditCall, steps: readonly EditStep[], last: number | null): Promise<boolean> {
    const { rooms, slices, limits } = this.#parts
    const { document, author } = call
    let written = last
    for (const { update, cursor, last: next } of steps) {
      await this.#pause(call)
      const scan = await slices.run(scanInSlices(update, limits), null)
      const client = scan.structs[0]?.client ?? 0
      if (written !== null && (await this.#isDeleted(document, { client, clock: written }))) return false
      await applyIn(rooms, document, { update, scan }, { author })
      call.onStep?.(cursor)
      written = next
    }
    return true
  }

  close(): void {
    for (const end of this.#waits) end(new Fault('ERR_GOING_DOWN'))
    this.#waits.clear()
  }

  async #isDeleted(document: string, point: { readonly client: number; readonly clock: number }) {
    const room = await this.#parts.rooms.open(document)
    const deletes = [...ClockRuns.from([{ ...point, length: 1 }]).ranges()]
    return room.document.judge({ structs: [], deletes, dependencies: [] }).type === 'known'
  }

  /** One step's time; more at a pace of less than a word in it. */
  #pause({ wordsPerSecond }: EditCall): Promise<void> {
    const { time, limits } = this.#parts
    const wordMs = 1000 / Math.max(wordsPerSecond ?? 1, 1)
    const delayMs = Math.max(limits.agentStepMs, wordMs)
    return new Promise((resolve, reject) => {
      const end = (fault: Fault) => {
        cancel()
        reject(fault)
      }
      const cancel = time.after(delayMs, () => {
        this.#waits.delete(end)
        resolve()
      })
      this.#waits.add(end)
    })
  }
}

function wordsIn(text: string): number {
  return text.match(/\S+/g)?.length ?? 0
}
