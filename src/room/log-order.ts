/**
 * The log of one document as this node learns of it: by its own appends, from other nodes over the bus, by reading the
 * store. Whichever way a record comes, and however often, it is given out once and in the log's order: no record before
 * the one with the number before it. Pure: no time, no store, no bus, and it never looks into a record.
 */
import type { RecordIdentity } from '../../persistence/store.ts'

/**
 * Where a record stands in its document's log: numbers are dense within a life of the document. The identity says which
 * write it came from: a store that has gone back gives numbers anew, and never the pair.
 */
export type Position = { readonly sequence: number; readonly identity: RecordIdentity }

/** Where a load ends. The identity is null where the record itself has been merged into a checkpoint. */
export type Start = { readonly sequence: number; readonly identity: RecordIdentity | null }

/** A record that is next: one of this node's own, by what its room calls it, or the bytes of another node's. */
export type Next<Own> =
  | { readonly type: 'own'; readonly position: Position; readonly own: Own }
  | { readonly type: 'foreign'; readonly position: Position; readonly record: Uint8Array }

/** Sequence numbers, both included. */
export type Missing = { readonly first: number; readonly last: number }

/**
 * `taken`: it was new. `repeated`: it was known. `dropped`: there is no room for it, and it is to be read from the store
 * later. `contradicted`: the store has another record under this number than the one that this node knows: the store went
 * back, and nothing that this node has of the document may be trusted.
 */
export type Learned = 'taken' | 'repeated' | 'dropped' | 'contradicted'

/** How many identities of records already given out are remembered, to tell a repetition from a contradiction. */
const rememberedMax = 256

export class LogOrder<Own> {
  readonly #heldBytesMax: number
  /** Records that wait for one before them. Those of other nodes are bounded by `heldBytesMax`, own ones by their room. */
  readonly #held = new Map<number, Next<Own>>()
  /** Identities of what was given out last, by number. The oldest are first. */
  readonly #given = new Map<number, RecordIdentity>()
  #heldBytes = 0
  #visible: number
  #end: number
  /** It is known which number this life of the document begins with. */
  #isBegun: boolean

  /** `start`: the last record of what was loaded, or null for a document with none: see `begin`. */
  constructor(start: Start | null, { heldBytesMax }: { heldBytesMax: number }) {
    this.#heldBytesMax = heldBytesMax
    this.#visible = start?.sequence ?? 0
    this.#end = this.#visible
    this.#isBegun = start !== null
    if (start !== null && start.identity !== null) this.#remember(start.sequence, start.identity)
  }

  /** The first record of this life has this number; before it is told, nothing is given out. May be told again. */
  begin(first: number): void {
    if (this.#isBegun) return
    this.#isBegun = true
    this.#visible = first - 1
  }

  /** Everything up to this number was given out. */
  get visible(): number {
    return this.#visible
  }

  /** The log is known to reach up to this number. */
  get end(): number {
    return this.#end
  }

  /** The first numbers that are known to be in the log and are not here, or null: nothing is missing. */
  get missing(): Missing | null {
    const first = this.#visible + 1
    if (first > this.#end || (this.#isBegun && this.#held.has(first))) return null
    let last = first
    while (last < this.#end && !this.#held.has(last + 1)) last++
    return { first, last }
  }

  /**
   * A record of this node's own was appended. It is always kept: its room waits for it. `repeated`: the record was read
   * from the store before the append was answered, and has been given out as another's. That is a moment ago: a number
   * that is forgotten already was given out for another record.
   */
  appended(position: Position, own: Own): Exclude<Learned, 'dropped'> {
    const { sequence } = position
    const known = this.#identityOf(sequence)
    if (known !== undefined && !isSame(known, position.identity)) return 'contradicted'
    // Numbers begin with 1, and with a higher one only after a deletion.
    if (sequence === 1) this.begin(1)
    if (sequence <= this.#visible) return known === undefined ? 'contradicted' : 'repeated'
    this.#drop(sequence)
    this.#hold({ type: 'own', position, own }, 0)
    return 'taken'
  }

  /** A record of another node, or one read from the store. `record` is kept. */
  learned(position: Position, record: Uint8Array): Learned {
    const { sequence } = position
    const known = this.#identityOf(sequence)
    if (known !== undefined) return isSame(known, position.identity) ? 'repeated' : 'contradicted'
    if (sequence <= this.#visible) return 'repeated'
    this.reaches(sequence)
    // The one that everything waits for is always taken: without it nothing would ever leave.
    if (sequence === 1) this.begin(1)
    const isNext = this.#isBegun && sequence === this.#visible + 1
    if (!isNext && this.#heldBytes + record.length > this.#heldBytesMax) return 'dropped'
    this.#hold({ type: 'foreign', position, record }, record.length)
    return 'taken'
  }

  /** The log reaches at least this far. */
  reaches(sequence: number): void {
    this.#end = Math.max(this.#end, sequence)
  }

  /** The next record in the log's order, or null while it is not here. What is given out is visible. */
  next(): Next<Own> | null {
    const sequence = this.#visible + 1
    const next = this.#isBegun ? this.#held.get(sequence) : undefined
    if (next === undefined) return null
    this.#drop(sequence)
    this.#visible = sequence
    this.#remember(sequence, next.position.identity)
    return next
  }

  /** Whether what the store has at this position is what this node was given there; true where it no longer knows. */
  agrees(position: Position): boolean {
    const known = this.#given.get(position.sequence)
    return known === undefined || isSame(known, position.identity)
  }

  /** The store says what lies at this position: remembered if it was given out here, and its identity was not known. */
  identified({ sequence, identity }: Position): void {
    if (sequence <= this.#visible && this.#identityOf(sequence) === undefined)
      this.#remember(sequence, identity)
  }

  /** Undefined: it was not here yet, or so long ago that it is forgotten. */
  #identityOf(sequence: number): RecordIdentity | undefined {
    return this.#held.get(sequence)?.position.identity ?? this.#given.get(sequence)
  }

  #hold(next: Next<Own>, bytes: number): void {
    this.#held.set(next.position.sequence, next)
    this.#heldBytes += bytes
    this.reaches(next.position.sequence)
  }

  #drop(sequence: number): void {
    const held = this.#held.get(sequence)
    if (held === undefined) return
    this.#held.delete(sequence)
    if (held.type === 'foreign') this.#heldBytes -= held.record.length
  }

  #remember(sequence: number, identity: RecordIdentity): void {
    this.#given.set(sequence, identity)
    if (this.#given.size <= rememberedMax) return
    const oldest = this.#given.keys().next()
    if (oldest.done !== true) this.#given.delete(oldest.value)
  }
}

function isSame(one: RecordIdentity, other: RecordIdentity): boolean {
  return one.node === other.node && one.batch === other.batch
}
