/**
 * A node's way to the database: statements take time, go astray on either way, are carried out late, or find nobody. Whoever
 * sends one again must be able to tell what became of the first.
 */
import { StoreError } from '../../persistence/store.ts'
import type { Time } from '../../src/base/time.ts'
import type { Chance } from './chance.ts'

export type LinkPlan = {
  /** Mean time of each way. */
  readonly delayMs: number
  /** How likely it is that a statement, or its answer, is lost. */
  readonly loss: number
  /** How likely it is that a statement takes long, and how long on average. */
  readonly slowness: number
  readonly slowMs: number
  /** When a node no longer waits for an answer, and for how long it goes on asking. */
  readonly statementMs: number
  readonly patienceMs: number
}

export type LinkWeather = {
  readonly plan: LinkPlan
  readonly isFaulty: () => boolean
  /** Whether the database is away for this node. */
  readonly isAway: () => boolean
  /** A statement is about to be carried out, or has been. False: whoever sent it is no more. */
  readonly meets: (when: 'before' | 'after') => boolean
}

/** What became of the statement is not known. */
class Lost extends Error {}

type Parts = {
  /** The node's, which ends with it, and the database's, which does not. */
  readonly time: Time
  readonly databaseTime: Pick<Time, 'after'>
  readonly chance: Chance
  readonly weather: LinkWeather
}

const retryMs = 100

export class DatabaseLink {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Again and again while it goes astray: for statements that may be carried out twice. */
  ask<T>(statement: () => T | Promise<T>): Promise<T> {
    return this.patiently(() => this.once(statement))
  }

  /** `work` is tried again after a loss, until the patience is over: then STORE_FAILED. */
  async patiently<T>(work: (tries: number) => Promise<T>): Promise<T> {
    const { time, weather } = this.#parts
    const untilMs = time.nowMs() + weather.plan.patienceMs
    for (let tries = 0; ; tries++) {
      try {
        return await work(tries)
      } catch (error) {
        if (!(error instanceof Lost)) throw error
        if (time.nowMs() > untilMs) throw new StoreError('STORE_FAILED', 'the database does not answer')
        await new Promise<void>(resolve => void time.after(retryMs, resolve))
      }
    }
  }

  once<T>(statement: () => T | Promise<T>): Promise<T> {
    const { time, databaseTime, weather } = this.#parts
    return new Promise((resolve, reject) => {
      let isSettled = false
      let cancelAnswer = () => {}
      const settle = (how: () => void) => {
        if (isSettled) return
        isSettled = true
        cancelAnswer()
        cancelWait()
        how()
      }
      const cancelWait = time.after(weather.plan.statementMs, () => settle(() => reject(new Lost())))
      const answerLater = (how: () => void) => {
        if (!isSettled && !this.#isLost()) cancelAnswer = time.after(this.#delayMs(), () => settle(how))
      }
      databaseTime.after(this.#delayMs() + this.#slownessMs(), async () => {
        if (this.#isLost()) return
        if (weather.isAway()) return answerLater(() => reject(new Lost()))
        if (!weather.meets('before')) return
        try {
          const answer = await statement()
          if (weather.meets('after')) answerLater(() => resolve(answer))
        } catch (error) {
          answerLater(() => reject(error))
        }
      })
    })
  }

  #isLost(): boolean {
    const { chance, weather } = this.#parts
    return weather.isFaulty() && chance.hits(weather.plan.loss)
  }

  #delayMs(): number {
    return this.#parts.chance.gapMs(this.#parts.weather.plan.delayMs)
  }

  #slownessMs(): number {
    const { chance, weather } = this.#parts
    const { slowness, slowMs } = weather.plan
    return weather.isFaulty() && chance.hits(slowness) ? chance.gapMs(slowMs) : 0
  }
}
