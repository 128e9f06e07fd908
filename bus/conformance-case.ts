/** What a conformance case is, what it asks of the place it runs on, and what the cases share. */
import assert from 'node:assert/strict'
import type { Bus, BusOptions } from './bus.ts'

/** One broker. Whoever made the place ends it after the case. */
export type BusPlace = {
  /** Another bus to it, as another node would have it. The case closes it. */
  connect(options?: BusOptions): Promise<Bus>
}

export type ConformanceCase = {
  readonly name: string
  /** Rejects with an AssertionError when the bus does not behave. */
  run(place: BusPlace): Promise<void>
}

/** A guard against hanging, not a measure. */
const patienceMs = 60_000

/** A case on two connected nodes, and what it opens besides. All are closed at its end. */
export function aCase(
  name: string,
  body: (nodes: { a: Bus; b: Bus; open: (options?: BusOptions) => Promise<Bus> }) => Promise<void>
): ConformanceCase {
  const run = async (place: BusPlace) => {
    const opened: Bus[] = []
    const open = async (options?: BusOptions) => {
      const bus = await place.connect(options)
      opened.push(bus)
      await connected(bus)
      return bus
    }
    try {
      await body({ a: await open(), b: await open(), open })
    } finally {
      await Promise.all(opened.map(bus => bus.close()))
    }
  }
  return { name, run }
}

/** Resolves when the bus has its broker. */
export function connected(bus: Bus): Promise<void> {
  if (bus.status().state === 'connected') return Promise.resolve()
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `not connected: ${JSON.stringify(bus.status())}` })),
      patienceMs
    )
    const unwatch = bus.watch(({ state }) => {
      if (state !== 'connected') return
      clearTimeout(timer)
      unwatch()
      resolve()
    })
  })
}

/** What was heard, as texts, and how to wait for more of it. */
export class Ear {
  readonly heard: string[] = []
  #waiting: () => void = () => {}

  readonly hear = (bytes: Uint8Array): void => {
    this.heard.push(Buffer.from(bytes).toString('latin1'))
    this.#waiting()
  }

  /** Resolves when `isEnough`; rejects when that takes too long. */
  until(isEnough: (heard: readonly string[]) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const message = `heard only ${JSON.stringify(this.heard.map(text => text.slice(0, 40)).slice(-20))}`
        reject(new assert.AssertionError({ message }))
      }, patienceMs)
      this.#waiting = () => {
        if (!isEnough(this.heard)) return
        clearTimeout(timer)
        this.#waiting = () => {}
        resolve()
      }
      this.#waiting()
    })
  }
}

/** Says it again until it is heard: a bus may lose it, and a subscription may still be on its way to the broker. */
export async function sayUntilHeard(say: () => void, heard: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | null = null
  // Ever more rarely: a broker that is slow is not to be kept busy by this.
  const again = (waitMs: number) => {
    say()
    timer = setTimeout(() => again(Math.min(2 * waitMs, 1_000)), waitMs)
  }
  again(20)
  try {
    await heard
  } finally {
    if (timer !== null) clearTimeout(timer)
  }
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
