/**
 * Presence over the bus for all rooms of a node: each room's messages go out on its document's topic, and one beat a
 * second for the whole node says that it is there and which rooms have told something lately. Whoever says nothing for
 * some beats is silent. Beats of this node count that, not time: when this process stood still, it takes nobody for dead.
 */
import type { SealedBus, SealedMessage } from '../../bus/index.ts'
import type { Log } from '../base/log.ts'
import type { PresenceReading } from '../base/metrics.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { PresenceLine, PresenceListener, PresenceMessage } from '../room/presence-line.ts'
import { type BeatEntry, keyOf, newNodesMax, readBeat, writeBeats } from './presence-beat.ts'
import { readPresence, writePresence } from './presence-message.ts'

export type PresencesLimits = {
  readonly presenceBeatMs: number
  readonly presenceBeatsUnheardMax: number
  readonly presenceNodesMax: number
  readonly awarenessEntriesMax: number
  readonly awarenessStateBytesMax: number
  readonly awarenessClockMax: number
  readonly jsonDepthMax: number
}

type Parts = {
  readonly bus: SealedBus
  readonly time: Time
  readonly limits: PresencesLimits
  readonly log: Log
}

type OpenLine = {
  readonly document: string
  readonly topic: string
  readonly key: string
  readonly listener: PresenceListener
  epoch: number
  told: number
  /** The next beat that names the room, and how many more are to name it because something has changed. */
  dueBeat: number
  freshBeats: number
  /** By node, the beat in which its room was last heard of. */
  readonly heard: Map<string, number>
}

const beatTopic = 'presence'

/** A change is named in so many beats; a room in which nothing changes is named in every so manieth. */
const freshBeatsMax = 5
const quietBeats = 20

/** A room that was named no more for so many beats has ended there, although nobody said so. */
const unnamedBeatsMax = 3 * quietBeats

export class Presences {
  readonly #parts: Parts
  /** By key. */
  readonly #lines = new Map<string, OpenLine>()
  /** Rooms that have ended, by key, and how many more beats say so. */
  readonly #ended = new Map<string, { readonly epoch: number; beats: number }>()
  /** By node, the beats since something was heard of it. */
  readonly #unheard = new Map<string, number>()
  /** Nodes heard for the first time or again, and how many more beats ask them to name their rooms. */
  readonly #newNodes = new Map<string, number>()
  readonly #unsubscribe: () => void
  #epochs = 0
  #beats = 0
  #expired = 0
  #cancel: Cancel = () => {}
  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#unsubscribe = parts.bus.subscribe(beatTopic, message => this.#beatCame(message))
    this.#schedule()
  }

  open({ document, topic }: { document: string; topic: string }, listener: PresenceListener): PresenceLine {
    const key = keyOf(document)
    const line: OpenLine = {
      document,
      topic,
      key,
      listener,
      epoch: ++this.#epochs,
      told: 0,
      dueBeat: this.#beats + 1,
      freshBeats: freshBeatsMax,
      heard: new Map()
    }
    this.#lines.set(key, line)
    this.#ended.delete(key)
    const unsubscribe = this.#parts.bus.subscribe(topic, message => this.#messageCame(line, message))
    return {
      send: message => this.#send(line, message),
      stands: number => this.#stands(line, number),
      renew: () => {
        line.epoch = ++this.#epochs
        this.#stands(line, line.told)
      },
      close: () => {
        unsubscribe()
        this.#close(line)
      }
    }
  }

  /** Asks every open room. */
  read(): PresenceReading {
    let [own, others] = [0, 0]
    for (const { listener } of this.#lines.values()) {
      own += listener.ownCount
      others += listener.shownCount
    }
    return { own, others, expired: this.#expired }
  }

  /** Says what is left to say, and nothing afterwards. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancel()
    this.#unsubscribe()
  }

  #send({ topic, epoch }: OpenLine, message: PresenceMessage): void {
    const { bus } = this.#parts
    for (const bytes of writePresence(epoch, message, bus.payloadBytesMax)) bus.publish(topic, bytes)
  }

  #stands(line: OpenLine, number: number): void {
    line.told = number
    line.freshBeats = freshBeatsMax
    line.dueBeat = this.#beats + 1
  }

  #close(line: OpenLine): void {
    if (this.#lines.get(line.key) !== line) return
    this.#lines.delete(line.key)
    this.#ended.set(line.key, { epoch: line.epoch, beats: freshBeatsMax })
    this.#send(line, { type: 'left' })
  }

  #schedule(): void {
    this.#cancel = this.#parts.time.after(this.#parts.limits.presenceBeatMs, () => this.#beat())
  }

  #beat(): void {
    this.#beats++
    this.#publish([...this.#endedEntries(), ...this.#dueEntries()])
    for (const [node, beats] of this.#unheard) this.#unheard.set(node, beats + 1)
    for (const [node, beats] of this.#unheard) {
      if (beats >= this.#parts.limits.presenceBeatsUnheardMax) this.#silent(node)
    }
    for (const line of this.#lines.values()) this.#tell(line, listener => listener.beat())
    this.#schedule()
  }

  #publish(entries: readonly BeatEntry[]): void {
    if (this.#lines.size + entries.length === 0) return
    const newNodes = [...this.#newNodes.keys()].slice(0, newNodesMax)
    for (const node of newNodes) {
      const beats = (this.#newNodes.get(node) ?? 0) - 1
      if (beats > 0) this.#newNodes.set(node, beats)
      else this.#newNodes.delete(node)
    }
    const { bus } = this.#parts
    for (const bytes of writeBeats({ newNodes, entries }, bus.payloadBytesMax)) bus.publish(beatTopic, bytes)
  }

  *#endedEntries(): Iterable<BeatEntry> {
    for (const [key, ended] of this.#ended) {
      if (--ended.beats === 0) this.#ended.delete(key)
      yield { key, epoch: ended.epoch, told: null }
    }
  }

  *#dueEntries(): Iterable<BeatEntry> {
    for (const line of this.#lines.values()) {
      if (line.dueBeat > this.#beats) continue
      const { key, epoch, told } = line
      if (line.freshBeats > 0) line.freshBeats--
      line.dueBeat = this.#beats + (line.freshBeats > 0 ? 1 : quietBeats)
      this.#endUnnamed(line)
      yield { key, epoch, told }
    }
  }

  #endUnnamed(line: OpenLine): void {
    for (const [node, beat] of line.heard) {
      if (this.#beats - beat <= unnamedBeatsMax) continue
      line.heard.delete(node)
      this.#expire(line, node)
    }
  }

  #expire(line: OpenLine, node: string): void {
    this.#expired++
    this.#tell(line, listener => listener.silent(node))
  }

  #silent(node: string): void {
    this.#unheard.delete(node)
    this.#newNodes.delete(node)
    for (const line of this.#lines.values()) {
      if (line.heard.delete(node)) this.#expire(line, node)
    }
  }

  /** Whether it is one of those that are listened to. */
  #isHeard(node: string): boolean {
    if (!this.#unheard.has(node)) {
      if (this.#unheard.size >= this.#parts.limits.presenceNodesMax) return false
      this.#newNodes.set(node, freshBeatsMax)
    }
    this.#unheard.set(node, 0)
    return true
  }

  #beatCame({ from, bytes }: SealedMessage): void {
    if (this.#isClosed || !this.#isHeard(from)) return
    const beat = this.#read(null, () => readBeat(bytes))
    if (beat === null) return
    if (beat.newNodes.includes(this.#parts.bus.nodeId)) this.#nameAll()
    for (const { key, epoch, told } of beat.entries) {
      const line = this.#lines.get(key)
      if (line === undefined) continue
      if (told === null) {
        this.#tell(line, listener => listener.heard(from, epoch, { type: 'left' }))
        continue
      }
      line.heard.set(from, this.#beats)
      this.#tell(line, listener => listener.stands(from, epoch, told))
    }
  }

  #nameAll(): void {
    for (const line of this.#lines.values()) line.dueBeat = this.#beats + 1
  }

  #messageCame(line: OpenLine, { from, bytes }: SealedMessage): void {
    if (this.#isClosed) return
    const read = this.#read(line, () => readPresence(bytes, this.#parts.limits))
    if (read === null || !this.#isHeard(from)) return
    line.heard.set(from, this.#beats)
    this.#tell(line, listener => listener.heard(from, read.epoch, read.message))
  }

  #read<T>(line: OpenLine | null, read: () => T): T | null {
    try {
      return read()
    } catch (error) {
      const { log } = this.#parts
      log.warn({ error, document: line?.document }, 'what another node said of presence cannot be read')
      return null
    }
  }

  /** A fault there is that room's: it must reach neither the bus nor the other rooms (I5). */
  #tell({ document, listener }: OpenLine, tell: (listener: PresenceListener) => void): void {
    try {
      tell(listener)
    } catch (error) {
      this.#parts.log.error({ error, document }, 'presence of other nodes could not be taken')
    }
  }
}
