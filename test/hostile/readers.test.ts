/** The readers of received bytes, under bytes of every kind: a message or a typed refusal, and nothing else. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Author } from '../../persistence/author.ts'
import { Fault } from '../../src/base/errors.ts'
import { defaultLimits } from '../../src/base/limits.ts'
import { checkState, readAwarenessUpdate, writeAwarenessUpdate } from '../../src/dialect/awareness-update.ts'
import { firstYWebsocket } from '../../src/dialect/y-websocket.ts'
import { decodeRecord, encodeRecord } from '../../src/document/record.ts'
import { encodeRuns, readRuns } from '../../src/document/run-bytes.ts'
import { decodeStateVector } from '../../src/document/state-vector.ts'
import { finish } from '../../src/document/steps.ts'
import { budget, damage, damaged } from '../document/hostile-updates.ts'
import { seed } from '../document/random-docs.ts'

const recorded = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../vectors/y-websocket.json'), 'utf8')) as {
    vectors: { frame: string }[]
  }
).vectors.map(({ frame }) => Uint8Array.from(Buffer.from(frame, 'hex')))

const damages = fc.array(damage, { minLength: 1, maxLength: 4 })

/** Valid bytes damaged, or any bytes. */
function bytesLike(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    valid,
    fc.tuple(valid, damages, valid).map(([bytes, how, donor]) => damaged(bytes, how, donor)),
    fc.uint8Array({ maxLength: 40 })
  )
}

/** What `read` answers, or undefined where it refuses with its fault; any other error is a failure. */
function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Fault && error.code === 'ERR_BAD_MESSAGE') return undefined
    throw error
  }
}

/** The bytes stand between others in a larger buffer, as they do in what a socket read. */
function embedded(bytes: Uint8Array): Uint8Array {
  const around = new Uint8Array(bytes.length + 64).fill(0x41)
  around.set(bytes, 32)
  return around.subarray(32, 32 + bytes.length)
}

function expectWithin(part: Uint8Array, whole: Uint8Array): void {
  expect(part.buffer).toBe(whole.buffer)
  expect(part.byteOffset).toBeGreaterThanOrEqual(whole.byteOffset)
  expect(part.byteOffset + part.length).toBeLessThanOrEqual(whole.byteOffset + whole.length)
}

const anyState = fc.oneof(fc.json(), fc.string()).map(text => Uint8Array.from(Buffer.from(text)))
const entries = fc.array(fc.record({ clientID: fc.maxSafeNat(), clock: fc.maxSafeNat(), state: anyState }), {
  maxLength: 4
})

describe(`of any bytes (SEED=${seed})`, () => {
  it('[I7] a frame is a message within its own bytes, or ERR_BAD_MESSAGE', () => {
    fc.assert(
      fc.property(bytesLike(fc.constantFrom(...recorded)), bytes => {
        const frame = embedded(bytes)

        const message = unlessRefused(() => firstYWebsocket(frame).message)

        if (message === undefined) return
        if (message.type === 'awareness') expectWithin(message.states, frame)
        else if (message.type === 'sync-step-1') expectWithin(message.stateVector, frame)
        else if ('update' in message) expectWithin(message.update, frame)
      }),
      budget(0.4)
    )
  })

  it('[I7] an awareness update is entries that are written as they were, or ERR_BAD_MESSAGE', () => {
    const bounds = { ...defaultLimits, awarenessEntriesMax: 3 }
    fc.assert(
      fc.property(bytesLike(entries.map(writeAwarenessUpdate)), bytes => {
        const update = embedded(bytes)

        const read = unlessRefused(() => readAwarenessUpdate(update, bounds))

        if (read === undefined) return
        expect(read.length).toBeLessThanOrEqual(3)
        for (const { state } of read) {
          expectWithin(state, update)
          unlessRefused(() => checkState(state, bounds))
        }
        const again = readAwarenessUpdate(Uint8Array.from(writeAwarenessUpdate(read)), bounds)
        expect(again).toEqual(read)
      }),
      budget(0.4)
    )
  })

  it('[I7] state vectors, records and stored runs are read, or ERR_BAD_MESSAGE', () => {
    const record = entries.map(all =>
      encodeRecord(
        all.map(({ clock, state }) => ({ timeMs: clock, author: authorLike(state.length), update: state }))
      )
    )
    const vector = fc.uint8Array({ maxLength: 30 }).map(bytes => Uint8Array.of(bytes.length % 4, ...bytes))
    fc.assert(
      fc.property(bytesLike(record), bytesLike(vector), (recordBytes, vectorBytes) => {
        const stored = embedded(recordBytes)
        for (const { update } of unlessRefused(() => decodeRecord(stored)) ?? []) {
          expectWithin(update, stored)
        }
        const read = unlessRefused(() => decodeStateVector(vectorBytes, { clientsMax: 3 }))
        expect(read?.size ?? 0).toBeLessThanOrEqual(3)
        const runs = unlessRefused(() => finish(readRuns(vectorBytes)))
        if (runs !== undefined) expect(finish(readRuns(encodeRuns(runs))).equals(runs)).toBe(true)
      }),
      budget(0.4)
    )
  })
})

/** One of each shape, by a number. */
function authorLike(number: number): Author | null {
  const connection = number % 2 === 0 ? null : `run-${number}`
  if (number % 5 === 0) return null
  return { user: number % 3 === 0 ? null : `ä${number}`, connection, origin: 'client' }
}
