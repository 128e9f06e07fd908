// The referee: lets the bots write, has them hold still, compares all replicas, and examines a restarted server before
// anybody may speak to it. It looks at documents and connections only, and never at what it hopes.
import * as Y from 'yjs'
import { createSignal, type Signal } from '../signal.ts'
import { clocksOf, fingerprintOf, shortHash } from './fingerprint.ts'
import type { Ledger } from './ledger.ts'
import type { Replica } from './replica.ts'
import type { Good, Verdict } from './verdict.ts'

export type RefereeParts = {
  readonly ledger: Ledger
  /** Everybody who has the document now. */
  readonly replicas: () => readonly Replica[]
  /** Loads the document from the server alone. */
  readonly askWitness: () => Promise<Y.Doc>
  /** How long the sliders alone may keep a message. */
  readonly delayMs: () => number
  /** Whether the document has as many edits as this page gives one. */
  readonly isFull: () => boolean
  /** A comparison has ended well; `edits` were found in it. */
  readonly onEqual: (edits: number) => void
}

const writingMs = 3_600
const showingMs = 2_400
/** Without any movement for so long, and with everybody connected, nothing is on its way any more. */
const stallMs = 6_000
const disconnectedMsMax = 45_000

/** How soon a comparison that found a difference is made again, while it may still be on its way. */
const againMs = 500

type Phase = 'writing' | 'settling' | 'comparing' | 'showing' | 'away' | 'over'

export class Referee {
  readonly #parts: RefereeParts
  readonly #verdict = createSignal<Verdict>({ kind: 'starting' })
  /** Until the server is there for the first time. */
  #phase: Phase = 'away'
  #phaseMs = performance.now()
  /** When anything last arrived anywhere, or anybody's connection changed. */
  #movedMs = performance.now()
  #lastPicture = ''
  #isResting = false
  /** How many edits there were at the last comparison that ended well. */
  #comparedEdits = 0
  #good: { readonly edits: number; readonly atMs: number } | null = null

  constructor(parts: RefereeParts) {
    this.#parts = parts
  }

  get verdict(): Signal<Verdict> {
    return this.#verdict
  }

  /** Whether the bots may write now. They do while the server is down: people do not notice either. */
  get mayWrite(): boolean {
    return !this.#isResting && (this.#phase === 'writing' || this.#phase === 'away')
  }

  /** Whether the bots write between the comparisons. */
  rest(isResting: boolean): void {
    this.#isResting = isResting
  }

  /** To be called several times a second. */
  tick(): void {
    switch (this.#phase) {
      case 'writing':
        if (this.#isResting || this.#isOlderThan(writingMs)) this.#beginSettling()
        else this.#say({ kind: 'writing', waiting: this.#parts.ledger.waiting(), good: this.#lastGood() })
        return
      case 'settling':
        return this.#settle()
      case 'showing':
        return this.#show()
      case 'comparing':
      case 'away':
      case 'over':
        return
      default:
        return this.#phase satisfies never
    }
  }

  /** The server is gone or about to be killed: nothing is compared until it has been examined. */
  leave(kind: 'down' | 'unreachable'): void {
    if (this.#phase === 'over') return
    this.#enter('away')
    this.#say({ kind })
  }

  /**
   * Asks the restarted server, to which nobody else may be connected, for what it has. Returns whether every promised
   * edit is there. Rejects when it does not hand the document out.
   */
  async examine(pid: number | null, orphans: number): Promise<boolean> {
    if (this.#phase === 'over') return false
    this.#say({ kind: 'examining' })
    const promised = this.#parts.ledger.promised().length
    const witness = await this.#parts.askWitness()
    const lost = this.#parts.ledger.missingFrom(witness)
    witness.destroy()
    if (lost.length > 0) {
      this.#fail({ kind: 'lost', edits: lost })
      return false
    }
    this.#say({ kind: 'kept', edits: promised, pid, orphans })
    return true
  }

  /** The server is there for the first time. Two replicas of nothing are no news: the bots begin at once. */
  begin(): void {
    this.#enter('writing')
  }

  /** After an examination: everybody may come back. */
  resume(): void {
    this.#enter('showing')
  }

  #beginSettling(): void {
    this.#movedMs = performance.now()
    this.#enter('settling')
  }

  #settle(): void {
    const { absent, behind, unsaved } = this.#look()
    this.#say({ kind: 'settling', waiting: unsaved, behind: behind.length + absent.length })
    if (behind.length === 0 && unsaved === 0 && absent.length === 0) {
      this.#enter('comparing')
      // A witness that does not come is asked again, until nothing has moved for too long.
      this.#compare().catch(() => this.#notEqual(this.#present()))
      return
    }
    if (absent.length === 0 && this.#isStalled()) {
      this.#fail({ kind: 'stuck', who: namesOf(behind.length > 0 ? behind : this.#present()), what: 'edits' })
    } else if (absent.length > 0 && performance.now() - this.#movedMs > disconnectedMsMax) {
      this.#fail({ kind: 'stuck', who: namesOf(absent), what: 'connection' })
    }
  }

  /** All at once in one turn of the event loop, with a witness loaded a moment ago. */
  async #compare(): Promise<void> {
    const { ledger, replicas, askWitness, onEqual } = this.#parts
    const made = ledger.edits.length
    const witness = await askWitness()
    const print = fingerprintOf(witness)
    const lost = ledger.missingFrom(witness)
    witness.destroy()
    if (this.#phase !== 'comparing') return
    const present = this.#present()
    const { absent } = this.#look()
    // Somebody at a pane wrote meanwhile, or a connection broke: then this was not the moment.
    if (ledger.edits.length !== made || absent.length > 0) return this.#beginSettling()
    if (lost.length > 0) return this.#fail({ kind: 'lost', edits: lost })
    const different = present.filter(({ doc }) => fingerprintOf(doc) !== print)
    if (different.length > 0) return this.#notEqual(different)
    const edits = ledger.promised().length
    this.#comparedEdits = made
    this.#good = { edits, atMs: performance.now() }
    const cutOff = replicas().length - present.length
    this.#enter('showing')
    if (this.#parts.isFull()) this.#say({ kind: 'full', edits })
    else this.#say({ kind: 'equal', replicas: present.length + 1, edits, hash: shortHash(print), cutOff })
    onEqual(edits)
  }

  /** What deletes only, or comes of somebody who has left, does not show in clocks: it may still be on its way. */
  #notEqual(different: readonly Replica[]): void {
    if (this.#phase !== 'comparing') return
    if (this.#isStalled()) return this.#fail({ kind: 'differ', who: namesOf(different) })
    setTimeout(() => {
      if (this.#phase === 'comparing') this.#enter('settling')
    }, againMs)
  }

  #show(): void {
    if (!this.#isOlderThan(showingMs)) return
    if (!this.#isResting) return this.#enter('writing')
    // Nothing is said anew while nothing is done; who writes at a pane has it compared again.
    const isSaid = ['equal', 'full'].includes(this.verdict.value.kind)
    if (this.#comparedEdits !== this.#parts.ledger.edits.length || !isSaid) this.#beginSettling()
  }

  #lastGood(): Good | null {
    if (this.#good === null) return null
    const { edits, atMs } = this.#good
    return { edits, secondsAgo: Math.floor((performance.now() - atMs) / 1000) }
  }

  /** Those whom nobody cut off on purpose. */
  #present(): readonly Replica[] {
    return this.#parts.replicas().filter(({ connection }) => connection.value.phase !== 'cut')
  }

  #look() {
    const present = this.#present()
    const clocks = present.map(({ doc }) => clocksOf(doc))
    const phases = present.map(({ connection }) => connection.value.phase)
    const unsaved = present.reduce((sum, replica) => sum + replica.unsaved.value, 0)
    const picture = JSON.stringify([clocks, phases, unsaved])
    if (picture !== this.#lastPicture) {
      this.#lastPicture = picture
      this.#movedMs = performance.now()
    }
    const most = unionOf(present)
    const behind = present.filter((_replica, at) => clocks[at] !== most)
    return { absent: present.filter((_replica, at) => phases[at] !== 'online'), behind, unsaved }
  }

  /** Nothing can be on its way any more, however slow the sliders make it. */
  #isStalled(): boolean {
    return performance.now() - this.#movedMs > stallMs + 4 * this.#parts.delayMs()
  }

  #isOlderThan(ms: number): boolean {
    return performance.now() - this.#phaseMs > ms
  }

  #enter(phase: Phase): void {
    if (this.#phase === 'over') return
    this.#phase = phase
    this.#phaseMs = performance.now()
  }

  #fail(verdict: Verdict): void {
    this.#say(verdict)
    this.#enter('over')
  }

  #say(verdict: Verdict): void {
    if (this.#phase === 'over') return
    this.#verdict.set(verdict)
  }
}

/** The clocks of all that anybody has, as `clocksOf` writes them. */
function unionOf(replicas: readonly Replica[]): string {
  const most = new Map<number, number>()
  for (const { doc } of replicas) {
    for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(doc))) {
      most.set(client, Math.max(clock, most.get(client) ?? 0))
    }
  }
  return JSON.stringify([...most].sort(([a], [b]) => a - b))
}

function namesOf(replicas: readonly Replica[]): string[] {
  return replicas.map(({ person }) => person.name)
}
