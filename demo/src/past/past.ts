// The past of the document as the page knows it: how far it goes, the moment that is looked at, what is compared, and
// what is shown of it. It asks the server and knows nothing of elements.
import { newId } from '../id.ts'
import type { Person } from '../person.ts'
import { createSignal, type Signal } from '../signal.ts'
import type { Difference, Version } from './answers.ts'
import { type Axis, axisOf, pauseBefore } from './axis.ts'
import { type PastClient, PastError, type Trouble } from './client.ts'
import { LatestAnswer } from './latest.ts'
import { peopleIn, peopleName, textName } from './model.ts'

/** What the moment is compared with; `version:` and an id for a named one. */
export type Comparison = 'nothing' | 'pause' | 'now' | `version:${string}`

export type Known = {
  readonly axis: Axis
  readonly versions: readonly Version[]
  /** By connection. */
  readonly people: ReadonlyMap<string, Person>
}

/** Moments as sequence numbers. `from`: null: no comparison, but who wrote what. */
export type Question = { readonly from: number | null; readonly to: number }

/** `isShut`: asking again would not help. */
export type Difficulty = { readonly kind: Trouble; readonly words: string; readonly isShut: boolean }

export type Shown = { readonly question: Question; readonly difference: Difference }

const burstPauseMs = 2_000
/** A question that the slider has left behind may take so long before it is given up. */
const patienceMs = 250
const answersKeptMax = 300
const retryMs = 2_500

const nothing: Difference = { pieces: [], entries: {} }

export class Past {
  readonly #client: PastClient
  readonly #answers: LatestAnswer<Question, Shown>
  readonly #known = createSignal<Known | null>(null)
  readonly #position = createSignal(0)
  readonly #comparison = createSignal<Comparison>('nothing')
  readonly #shown = createSignal<Shown | null>(null)
  readonly #trouble = createSignal<Difficulty | null>(null)
  /** At the end of the line, where it grows. */
  #isAtEnd = true
  #reading: Promise<void> | null = null
  #isStale = false
  /** There is nothing to ask for here. */
  #isShut = false
  #retry: ReturnType<typeof setTimeout> | undefined

  constructor(client: PastClient) {
    this.#client = client
    this.#answers = new LatestAnswer<Question, Shown>({
      keyOf: ({ from, to }) => `${from ?? ''}-${to}`,
      load: (question, signal) => this.#load(question, signal),
      patienceMs,
      keptMax: answersKeptMax
    })
  }

  /** Null until the server has answered once. */
  get known(): Signal<Known | null> {
    return this.#known
  }

  /** The moment that is looked at. */
  get position(): Signal<number> {
    return this.#position
  }

  get comparison(): Signal<Comparison> {
    return this.#comparison
  }

  /** The newest answer there is. */
  get shown(): Signal<Shown | null> {
    return this.#shown
  }

  /** Null: all is well. */
  get trouble(): Signal<Difficulty | null> {
    return this.#trouble
  }

  get isAtEnd(): boolean {
    return this.#isAtEnd
  }

  /** Asks how far the past goes by now. Never rejects: what goes wrong is in `trouble`. */
  refresh(): Promise<void> {
    if (this.#isShut) return Promise.resolve()
    if (this.#reading !== null) {
      this.#isStale = true
      return this.#reading
    }
    this.#reading = this.#read().finally(() => {
      this.#reading = null
    })
    return this.#reading
  }

  /** Resolves when that moment, or a later wish, is shown. */
  async goTo(sequence: number): Promise<void> {
    const { axis } = this.#known.value ?? {}
    if (axis === undefined) return
    this.#isAtEnd = sequence >= axis.last
    this.#position.set(Math.min(axis.last, Math.max(axis.first, sequence)))
    await this.#show()
  }

  async compareWith(comparison: Comparison): Promise<void> {
    this.#comparison.set(comparison)
    await this.#show()
  }

  /** Rejects with PastError, as the others that change something. */
  async name(name: string): Promise<Version> {
    const version = await this.#client.name(name, this.#position.value)
    await this.refresh()
    return version
  }

  /** The newest moment, wherever one looks. What goes wrong is in `trouble`. */
  async nameNow(name: string): Promise<void> {
    try {
      const { head } = await this.#client.extent()
      await this.#client.name(name, head)
    } catch (error) {
      this.#complain(error)
    }
    await this.refresh()
  }

  async unname(id: string): Promise<void> {
    await this.#client.unname(id)
    if (this.#comparison.value === `version:${id}`) this.#comparison.set('nothing')
    await this.refresh()
  }

  /** False: nothing had to be changed. */
  async restore(): Promise<boolean> {
    const { isChanged } = await this.#client.restore(this.#position.value, newId())
    await this.#changed()
    return isChanged
  }

  /** Takes back what came over these connections since the moment that is looked at. */
  async undo(connections: readonly string[]): Promise<boolean> {
    const after = this.#position.value
    let isAnyChanged = false
    for (const connection of connections) {
      const { isChanged } = await this.#client.undo(connection, after, newId())
      isAnyChanged ||= isChanged
    }
    await this.#changed()
    return isAnyChanged
  }

  /** What is undone or restored is looked at in its newest moment. */
  async #changed(): Promise<void> {
    this.#isAtEnd = true
    this.#comparison.set('nothing')
    await this.refresh()
  }

  async #read(): Promise<void> {
    do {
      this.#isStale = false
      try {
        await this.#readOnce()
        this.#settle()
      } catch (error) {
        this.#complain(error)
        return
      }
    } while (this.#isStale)
    await this.#show()
  }

  async #readOnce(): Promise<void> {
    // One after the other: a server answers only a few questions of one visitor at once.
    const extent = await this.#client.extent()
    const { bursts, isComplete } = await this.#client.activity(burstPauseMs)
    const before = this.#known.value
    const axis = axisOf(extent, bursts, isComplete)
    const people =
      before?.axis.last === axis.last
        ? before.people
        : peopleIn(await this.#client.blame(peopleName, axis.last))
    this.#known.set({ axis, people, versions: extent.versions })
    if (this.#isAtEnd) this.#position.set(axis.last)
    else this.#position.set(Math.min(axis.last, Math.max(axis.first, this.#position.value)))
  }

  async #show(): Promise<void> {
    const question = this.question()
    if (question === null) return
    try {
      const shown = await this.#answers.ask(question)
      if (shown !== null) this.#shown.set(shown)
    } catch (error) {
      this.#complain(error)
    }
  }

  /** What is to be shown: which moments, in their order. Null: nothing is known yet. */
  question(): Question | null {
    const known = this.#known.value
    if (known === null) return null
    const here = this.#position.value
    const other = otherMoment(known, this.#comparison.value, here)
    return other === null
      ? { from: null, to: here }
      : { from: Math.min(here, other), to: Math.max(here, other) }
  }

  async #load(question: Question, signal: AbortSignal): Promise<Shown> {
    const { from, to } = question
    const difference =
      from === null || from === to
        ? await this.#client.blame(textName, to, signal)
        : await this.#client.diff({ from, to }, signal)
    return { question, difference: difference ?? nothing }
  }

  #settle(): void {
    clearTimeout(this.#retry)
    this.#trouble.set(null)
  }

  #complain(error: unknown): void {
    if (!(error instanceof PastError)) throw error
    const { trouble: kind, message: words } = error
    this.#isShut = kind === 'off' || kind === 'forbidden'
    if (this.#trouble.value?.kind !== kind) this.#trouble.set({ kind, words, isShut: this.#isShut })
    if (this.#isShut) return
    if (kind === 'gone') this.#answers.forget()
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.refresh(), retryMs)
  }
}

function otherMoment({ axis, versions }: Known, comparison: Comparison, here: number): number | null {
  if (comparison === 'nothing') return null
  if (comparison === 'now') return axis.last
  if (comparison === 'pause') return pauseBefore(axis, here)
  return versions.find(({ id }) => comparison === `version:${id}`)?.sequence ?? null
}

/** Those who have done something after a moment, each with the connections over which they did. */
export function activeAfter(
  { axis, people }: Known,
  sequence: number
): ReadonlyMap<Person, readonly string[]> {
  const byName = new Map<string, { person: Person; connections: Set<string> }>()
  for (const { author, lastSequence } of axis.bursts) {
    const connection = author?.connection
    if (connection == null || lastSequence <= sequence) continue
    const person = people.get(connection)
    if (person === undefined) continue
    const known = byName.get(person.name) ?? { person, connections: new Set() }
    known.connections.add(connection)
    byName.set(person.name, known)
  }
  return new Map([...byName.values()].map(({ person, connections }) => [person, [...connections]]))
}
