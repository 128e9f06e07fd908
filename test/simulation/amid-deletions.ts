/**
 * Documents that are deleted while people work, nodes fail, and others begin them anew: whoever had something of the life
 * that has ended is told so and brings nothing of it back; whoever comes afterwards sees the new life alone.
 */
import * as Y from 'yjs'
import type { Chance } from './chance.ts'
import { checkIsFree, toldAll } from './deletion.ts'
import type { Page } from './page.ts'
import { Violation } from './trace.ts'
import type { Scope } from './virtual-time.ts'
import type { World } from './world.ts'

/** A deletion that was begun in the storm is over by then. */
const overWithinMs = 120_000

export class AmidDeletions {
  readonly #world: World
  readonly #chance: Chance
  readonly #time: Scope
  /** Rooms of which one is under way. */
  readonly #underWay = new Set<string>()
  /** By room, who wrote what was deleted. */
  readonly #dead = new Map<string, Set<number>>()

  constructor(world: World, chance: Chance, time: Scope) {
    this.#world = world
    this.#chance = chance
    this.#time = time
  }

  /** Deletes a document; when that is done, others come. */
  begin(room: string): void {
    const { trace } = this.#world
    if (this.#underWay.has(room)) return
    const old = this.#retire(room)
    if (old.length === 0) return
    this.#underWay.add(room)
    trace.note('delete', room)
    const how = this.#chance.pick(['well', 'well', 'crash-before', 'crash-after'] as const)
    const wait = (ms: number) => this.#time.delay(ms)
    this.#world.delete(room, { how, wait }).then(
      () => this.#done(room),
      (error: unknown) => this.#world.clock.fail(error)
    )
  }

  /** In calm: all of them are over, and everybody has been told; nobody is left who was in a life that has ended. */
  async end(): Promise<void> {
    const { clock } = this.#world
    const untilMs = clock.nowMs + overWithinMs
    while (this.#underWay.size > 0) {
      if (clock.nowMs > untilMs) throw new Violation(`the deletion of ${[...this.#underWay]} does not end`)
      await clock.runFor(500)
    }
    const old = this.#world.pages.filter(({ isRetired }) => isRetired)
    for (const page of old) page.connect()
    await toldAll(this.#world, old)
    for (const page of old) this.#world.closePage(page, 'goodbye')
  }

  /** Throws when somebody has got something of a life that has ended. */
  check(): void {
    for (const [room, dead] of this.#dead)
      for (const page of this.#world.pagesIn(room)) checkIsFree(page, dead)
  }

  /** Those who hold something of the document, and the server knows it. The others begin anew when it is gone. */
  #retire(room: string): Page[] {
    const world = this.#world
    const pages = world.pagesIn(room).filter(({ isRetired }) => !isRetired)
    const stored = world.servers.writersOf(room)
    const old = pages.filter(page => writersIn(page).some(client => stored.has(client)))
    // First words that are written between the load for a tombstone and the deletion are in neither (ADR 25): not now.
    const hasFirstWords = pages.some(page => !old.includes(page) && writersIn(page).length > 0)
    if (old.length === 0 || hasFirstWords) return []
    this.#dead.set(room, new Set([...(this.#dead.get(room) ?? []), ...stored]))
    for (const page of pages) {
      if (old.includes(page)) page.retire()
      else world.closePage(page, 'goodbye')
    }
    return old
  }

  #done(room: string): void {
    this.#underWay.delete(room)
    this.#world.trace.note('deleted', room)
    const count = 1 + this.#chance.below(3)
    for (let i = 0; i < count; i++) this.#time.after(this.#chance.gapMs(300), () => this.#open(room))
  }

  #open(room: string): void {
    if (!this.isUnderWay(room)) void this.#world.openPage(room)
  }

  /** Nobody may open it: what they saw would be deleted, and owed. */
  isUnderWay(room: string): boolean {
    return this.#underWay.has(room)
  }
}

function writersIn({ doc }: Page): number[] {
  return [...Y.decodeStateVector(Y.encodeStateVector(doc)).keys()]
}
