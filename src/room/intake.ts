/**
 * Received bytes on their way to a commit: copied, bounded, scanned; or refused, and then set aside before their
 * connection is closed, so that nothing typed is beyond recovery.
 */
import type { Store } from '../../persistence/store.ts'
import { createScanner, scanUpdate, type UpdateScan } from '../document/scan.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { Fault, toFault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Cancel, Time } from '../time.ts'
import type { Member } from './member.ts'
import type { Refusals } from './refusals.ts'

type Parts = {
  readonly store: Store
  readonly refusals: Refusals
  readonly time: Time
  readonly limits: Limits
  readonly log: Log
}

type Commit = (scanned: ScannedUpdate) => void

export class Intake {
  readonly #document: string
  readonly #parts: Parts
  readonly #delays = new Set<Cancel>()
  #isClosed = false

  constructor(document: string, parts: Parts) {
    this.#document = document
    this.#parts = parts
  }

  /**
   * Calls `commit` with a copy of the update (I9: the bytes are a view into what the socket read), at once or, for a
   * large one, after some turns in which its connection is held. What `commit` throws refuses the update too.
   */
  take(member: Member, received: Uint8Array, commit: Commit): void {
    const update = Uint8Array.from(received)
    const { documentBytesMax, scanBytesMax, updateRangesMax: rangesMax } = this.#parts.limits
    if (update.length > documentBytesMax) {
      this.#refuse(member, update, new Fault('ERR_UPDATE_TOO_LARGE', `an update of ${update.length} bytes`))
    } else if (update.length <= scanBytesMax) {
      this.#attempt(member, update, () => commit({ update, scan: scanUpdate(update, { rangesMax }) }))
    } else {
      void this.#takeLarge(member, update, commit)
    }
  }

  /** Leaves no timer; the room ends its members itself. */
  close(): void {
    this.#isClosed = true
    for (const cancel of this.#delays) cancel()
    this.#delays.clear()
  }

  async #takeLarge(member: Member, update: Uint8Array, commit: Commit): Promise<void> {
    member.port.pause()
    try {
      const scan = await scanInSlices(update, this.#parts)
      this.#attempt(member, update, () => commit({ update, scan }))
    } catch (error) {
      this.#refuse(member, update, toFault(error))
    } finally {
      member.port.resume()
    }
  }

  #attempt(member: Member, update: Uint8Array, commit: () => void): void {
    try {
      commit()
    } catch (error) {
      this.#refuse(member, update, toFault(error))
    }
  }

  #refuse(member: Member, update: Uint8Array, fault: Fault): void {
    member.isRefused = true
    const notSaved = member.encoder.notSaved('malformed')
    if (notSaved !== null) member.port.send(notSaved)
    const { store, refusals, time, log } = this.#parts
    const count = refusals.add(member.person.peer)
    const context = { document: this.#document, connection: member.port.id }
    log.warn({ ...context, error: fault }, 'update refused and set aside')
    const entry = { author: member.port.id, timeMs: time.wallMs(), reason: fault.message, bytes: update }
    // Who may not write leaves nothing in the store, not even here.
    const setAside = member.access === 'write' ? store.setAside(this.#document, entry) : Promise.resolve()
    setAside
      .catch((error: unknown) => log.error({ ...context, error }, 'could not set an update aside'))
      .finally(() => this.#end(member, fault, count))
  }

  /** Whoever keeps coming back with what is refused is answered ever more slowly, and nobody else is. */
  #end(member: Member, fault: Fault, count: number): void {
    const end = () => member.port.end(count > 1 ? repeated(fault) : fault)
    const delayMs = this.#isClosed ? 0 : this.#parts.refusals.delayMs(count)
    if (delayMs === 0) return end()
    member.port.pause()
    const cancel = this.#parts.time.after(delayMs, () => {
      this.#delays.delete(cancel)
      end()
    })
    this.#delays.add(cancel)
  }
}

/** As `scanUpdate`, with the event loop's turn after each `scanBytesMax`. The bytes must not change meanwhile. */
export async function scanInSlices(
  update: Uint8Array,
  { time, limits }: { time: Time; limits: Limits }
): Promise<UpdateScan> {
  const scanner = createScanner(update, { rangesMax: limits.updateRangesMax })
  while (!scanner.step(limits.scanBytesMax)) await new Promise<void>(resolve => void time.soon(resolve))
  return scanner.result()
}

function repeated(fault: Fault): Fault {
  if (fault.code === 'ERR_UPDATE_TOO_LARGE') return new Fault('ERR_UPDATE_TOO_LARGE_AGAIN', fault.message)
  if (fault.code === 'ERR_UPDATE_MALFORMED') return new Fault('ERR_UPDATE_MALFORMED_AGAIN', fault.message)
  return fault
}
