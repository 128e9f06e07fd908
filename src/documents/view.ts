/**
 * One view of a document for all who watch the same root types of it: a member of the room that only receives. What updates
 * change is worked out once, in a thread, and told to every reader in the same bytes.
 */
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Frame } from '../dialect/frame.ts'
import { silentEncoder } from '../dialect/silent-encoder.ts'
import type { PackedUpdates } from '../document/packed-updates.ts'
import { packUpdates } from '../document/packed-updates.ts'
import { versionOf } from '../document/version.ts'
import type { WorkerHost } from '../document/worker-host.ts'
import { Member } from '../room/member.ts'
import type { Room } from '../room/room.ts'
import { SilentPort } from '../room/silent-port.ts'
import { type EventReader, eventBytes } from './event-reader.ts'
import { RecentEvents } from './recent-events.ts'
import type { ViewAnswer, ViewJob, ViewTypes } from './view-thread.ts'

type Parts = {
  readonly room: Room
  readonly thread: WorkerHost<ViewJob, ViewAnswer>
  readonly number: number
  readonly types: ViewTypes
  readonly time: Time
  readonly limits: Limits
  /** Nobody reads it any more, or it has failed. Called once. */
  readonly onClosed: () => void
}

/** What its member is sent: nothing but updates and the end of the join, each in a chunk of its own. */
type Sent = 'update' | 'end' | 'presence'

/** `event`: all there is at this version. */
type Contents = { readonly version: string; readonly event: Promise<Uint8Array> }

export class View extends SilentPort {
  readonly id = 'view'
  readonly #parts: Parts
  readonly #member: Member
  readonly #readers = new Set<EventReader>()
  readonly #recent: RecentEvents
  #gathered: Uint8Array[] = []
  #version: string
  /** Up to which version the thread has been given updates. */
  #givenVersion = ''
  #working: Promise<void> = Promise.resolve()
  #isWorking = false
  #isLive = false
  #contents: Contents | null = null
  /** Resolves when the thread has been given what there was. */
  readonly #joined: Promise<void>
  #hasJoined: () => void = () => {}
  #cancelPresence: Cancel | null = null
  #cancelKeepAlive: Cancel = () => {}
  #isClosed = false

  /** Enters the room. Throws what the room throws. */
  constructor(parts: Parts) {
    super()
    this.#parts = parts
    this.#recent = new RecentEvents(parts.limits)
    this.#version = this.#versionNow()
    this.#joined = new Promise(resolve => {
      this.#hasJoined = resolve
    })
    const person = { access: 'read', user: null, source: 'server', peer: 'server' } as const
    this.#member = new Member(this, encoder, person)
    parts.room.enter(this.#member)
    parts.room.receive(this.#member, { type: 'sync-step-1', stateVector: Uint8Array.of(0) })
    this.#keepAlive()
  }

  /** From now on it is told what changes, after what it has missed since `lastEventId`, or the whole. Never rejects. */
  async join(reader: EventReader, lastEventId: string | null): Promise<void> {
    this.#readers.add(reader)
    try {
      await this.#joined
      const missed = lastEventId === null ? null : this.#missedSince(lastEventId)
      if (missed === null) reader.send(await this.#contentsNow())
      else for (const bytes of missed) reader.send(bytes)
      reader.isLive = true
      if (reader.wantsPresence) reader.send(this.#presence())
    } catch {
      // The view is closed, and with it all of its readers: they come back.
    }
  }

  leave(reader: EventReader): void {
    if (this.#readers.delete(reader) && this.#readers.size === 0) this.close()
  }

  /** Its readers come back to another one. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelPresence?.()
    this.#cancelKeepAlive()
    this.#contents = null
    this.#parts.room.leave(this.#member)
    for (const reader of this.#readers) reader.end()
    this.#readers.clear()
    this.#parts.onClosed()
  }

  /** Null: it is not known any more what came after it. */
  #missedSince(id: string): readonly Uint8Array[] | null {
    return id === this.#version ? [] : this.#recent.after(id)
  }

  /** All there is, as an event. One for all who ask for the same version. */
  #contentsNow(): Promise<Uint8Array> {
    if (this.#contents?.version === this.#givenVersion) return this.#contents.event
    const { number, limits } = this.#parts
    const version = this.#givenVersion
    const event = this.#run({ type: 'contents', view: number, bytesMax: limits.answerBytesMax }).then(data =>
      eventBytes({ id: version, event: 'document', data: data ?? nothing })
    )
    event.catch(() => this.close())
    this.#contents = { version, event }
    return event
  }

  async #run(job: ViewJob): Promise<ViewAnswer> {
    const { thread, number } = this.#parts
    const transfer = 'updates' in job ? [job.updates.bytes.buffer] : []
    const pack = () => Promise.resolve({ job, transfer })
    const { viewDeadlineMs: deadlineMs } = this.#parts.limits
    return (await thread.run({ document: String(number), pack, deadlineMs })).answer
  }

  override send(frame: Frame): void {
    for (const chunk of frame) this.#take(kindOf(chunk), chunk)
  }

  #take(kind: Sent, chunk: Uint8Array): void {
    if (this.#isClosed) return
    if (kind === 'presence') return this.#presenceSoon()
    for (const update of updatesIn(chunk)) {
      if (update === null) this.#end()
      else this.#gathered.push(update)
    }
    if (this.#isLive && this.#gathered.length > 0) this.#work()
  }

  /** It has been sent everything that is durable. */
  #end(): void {
    if (this.#isLive) return
    this.#isLive = true
    const updates = this.#gathered
    this.#gathered = []
    this.#version = this.#versionNow()
    this.#givenVersion = this.#version
    const { number: view, types } = this.#parts
    this.#working = packUpdates(updates)
      .then(packed => {
        const opening = this.#run({ type: 'open', view, types, updates: packed })
        this.#hasJoined()
        return opening
      })
      .then(
        () => {},
        () => this.close()
      )
  }

  /** One job at a time; what comes meanwhile is told of together. */
  #work(): void {
    if (this.#isWorking) return
    this.#isWorking = true
    this.#working = this.#working
      .then(() => this.#tell())
      .catch(() => this.close())
      .finally(() => {
        this.#isWorking = false
        if (this.#gathered.length > 0 && !this.#isClosed) this.#work()
      })
  }

  async #tell(): Promise<void> {
    const { number: view } = this.#parts
    const updates = this.#gathered
    this.#gathered = []
    const version = this.#versionNow()
    const packed: PackedUpdates = await packUpdates(updates)
    this.#givenVersion = version
    const data = await this.#run({ type: 'apply', view, updates: packed })
    this.#version = version
    // Also when nothing of these types has changed: who comes back is at this version.
    const event = eventBytes({
      id: version,
      event: data === null ? 'version' : 'change',
      data: data ?? nothing
    })
    this.#recent.add(version, event)
    for (const reader of this.#readers) if (reader.isLive) reader.send(event)
  }

  #versionNow(): string {
    const { incarnation, sequence } = this.#parts.room.version
    return versionOf({ incarnation, head: sequence })
  }

  #presenceSoon(): void {
    if (this.#cancelPresence !== null) return
    this.#cancelPresence = this.#parts.time.after(this.#parts.limits.eventPresenceMs, () => {
      this.#cancelPresence = null
      const wanting = [...this.#readers].filter(({ isLive, wantsPresence }) => isLive && wantsPresence)
      if (wanting.length === 0) return
      const bytes = this.#presence()
      for (const reader of wanting) reader.send(bytes)
    })
  }

  #presence(): Uint8Array {
    const states = [...this.#parts.room.awareness.shown()].map(
      ([clientId, state]) => `{"clientId":${clientId},"state":${Buffer.from(state).toString()}}`
    )
    return eventBytes({ id: null, event: 'presence', data: Buffer.from(`{"states":[${states.join(',')}]}`) })
  }

  #keepAlive(): void {
    this.#cancelKeepAlive = this.#parts.time.after(this.#parts.limits.keepAliveMs, () => {
      for (const reader of this.#readers) reader.send(comment)
      this.#keepAlive()
    })
  }

  /** The room has ended. */
  end(): void {
    this.close()
  }
}

const nothing = Buffer.from('{}')
const comment = Buffer.from(':\n\n')

const marks: Readonly<Record<Sent, number>> = { update: 1, end: 2, presence: 3 }

/** A mark, the length (4 bytes) and the update: frames are joined on their way. */
function chunkOf(kind: Sent, payload: Uint8Array = new Uint8Array()): Frame {
  const chunk = Buffer.alloc(5 + payload.length)
  chunk.writeUInt8(marks[kind])
  chunk.writeUInt32LE(payload.length, 1)
  chunk.set(payload, 5)
  return [chunk]
}

function kindOf(chunk: Uint8Array): Sent {
  return chunk[0] === marks.presence ? 'presence' : 'update'
}

/** Null: the end of the join. */
function* updatesIn(chunk: Uint8Array): Generator<Uint8Array | null> {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 1)
    yield bytes[at] === marks.end ? null : bytes.subarray(at + 5, at + 5 + length)
    at += 5 + length
  }
}

/** One for all views: what they are sent is the same. */
const encoder = silentEncoder('events', {
  update: update => chunkOf('update', update),
  endMarker: () => chunkOf('end'),
  awareness: () => chunkOf('presence')
})

/** Of a reader, who is sent nothing by the room itself. */
export const readerEncoder = silentEncoder('event-reader')
