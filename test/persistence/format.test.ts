/**
 * The stored format, pinned: a change of these bytes is a new format version. The layouts are in
 * persistence/README.md.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesOf, overwrite } from '../../persistence/conformance-tools.ts'
import {
  decodeGarbage,
  encodeGarbage,
  encodeName,
  headKey,
  headRange,
  numberMax,
  recordKey,
  recordRange,
  seal,
  segmentRange,
  setAsideKey,
  setAsideRange,
  unseal
} from '../../persistence/format.ts'
import { isInRuns, runsOf } from '../../persistence/runs.ts'
import { decodeSetAside, decodeSetAsideNamed, encodeSetAside } from '../../persistence/set-aside-body.ts'
import { storeErrorCodes } from '../../persistence/store.ts'
import { simulatedPlace } from './places.ts'

describe('stored format version 1', () => {
  test('a small store, byte by byte', async () => {
    const place = simulatedPlace()
    const store = await place.open()
    const record = (text: string) => ({ document: 'dö', record: Buffer.from(text) })
    await store.append([record('one'), record('two')])
    const from = await store.load('dö')
    const replaces = from.records.slice(0, 1).map(one => one.sequence)
    await overwrite(store, { document: 'dö', from, segments: [Buffer.from('seg')], replaces })
    const author = { user: 'ann', connection: 'c1', origin: 'client' } as const
    await store.setAside('dö', { author, timeMs: 1, reason: 'why', bytes: Buffer.from('up') })
    await store.writeMetadata('key', Buffer.from('value'))
    await store.delete('gone', { tombstone: { timeMs: 1, bytes: Buffer.from('dead') } })

    const lines = place.disk
      .entries()
      .map(([key, value]) => `${key.toString('hex')} ${value.toString('hex')}`)

    expect(lines).toMatchInlineSnapshot(`
      [
        "63 6b0e1b9901000000000002000000000000",
        "6864c3b6 69fb322202000000000001000000000002000000000001000000000001",
        "6d6b6579 3e0e5c790776616c7565",
        "70 4777c6aa0970726f6265",
        "71000364c3b600000000000100000002 fd2c4a260b3ff00000000000003100000003616e6e000000026331000000037768797570",
        "72000000000001000000000002 3e17df330374776f",
        "7300000000000100000000000100000000 21566ac4056d657461206f6620310a",
        "7300000000000100000000000100000001 93bef1f104736567",
        "74676f6e65 ff74cf2e0a3ff000000000000064656164",
      ]
    `)
    await store.close()
  })

  test('README.md names every error code', () => {
    const text = readFileSync(join(import.meta.dirname, '../../persistence/README.md'), 'utf8')
    const table = [...text.matchAll(/^\| (STORE_\w+) +\|/gm)].map(match => match[1])

    expect(table.sort()).toEqual(Object.keys(storeErrorCodes).sort())
  })
})

const names = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
const numbers = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: numberMax }))

describe('keys', () => {
  test('record keys are in numeric order, and only those of a run are in its range', () => {
    fc.assert(
      fc.property(numbers, numbers, numbers, (incarnation, one, other) => {
        const [low, high] = [Math.min(one, other), Math.max(one, other)]
        expect(Buffer.compare(recordKey(incarnation, low), recordKey(incarnation, high))).toBe(
          low === high ? 0 : -1
        )
        const range = recordRange(incarnation, low, high)
        expect(isWithin(recordKey(incarnation, low), range)).toBe(true)
        expect(isWithin(recordKey(incarnation, high), range)).toBe(true)
        if (high < numberMax) expect(isWithin(recordKey(incarnation, high + 1), range)).toBe(false)
        if (low > 0) expect(isWithin(recordKey(incarnation, low - 1), range)).toBe(false)
        if (incarnation < numberMax) expect(isWithin(recordKey(incarnation + 1, low), range)).toBe(false)
      })
    )
  })

  test('a range to the last number ends before the next incarnation, all ones included', () => {
    const segments = segmentRange(numberMax, 0, numberMax)
    expect(Buffer.compare(segments.from, segments.to)).toBe(-1)
    expect(segments.to.toString('hex')).toBe('74')
  })

  test('names and set-aside areas never overlap', () => {
    fc.assert(
      fc.property(names, names, (one, other) => {
        const [left, right] = [encodeName(one), encodeName(other)]
        expect(isWithin(setAsideKey(left, 1, 1), setAsideRange(right))).toBe(one === other)
        expect(isWithin(headKey(left), headRange(right, Buffer.alloc(0)))).toBe(one.startsWith(other))
        const isAfter = Buffer.compare(left, right) > 0
        expect(isWithin(headKey(left), headRange(Buffer.alloc(0), right))).toBe(isAfter)
      })
    )
  })
})

describe('values', () => {
  test('a sealed value comes back; any flipped bit, other key or cut is damage', () => {
    const body = fc.uint8Array({ maxLength: 50 })
    fc.assert(
      fc.property(body, fc.nat(), (bytes, flip) => {
        const key = recordKey(1, 2)
        const value = seal(key, 3, bytes)
        expect(unseal(key, 3, value)).toEqual({ body: Buffer.from(bytes) })
        expect(unseal(recordKey(1, 3), 3, value)).toHaveProperty('damage')
        expect(unseal(key, 4, value)).toHaveProperty('damage')
        expect(unseal(key, 3, value.subarray(0, flip % value.length))).toHaveProperty('damage')
        const at = flip % value.length
        value[at] = (value[at] ?? 0) ^ (1 << (flip % 8))
        expect(unseal(key, 3, value)).toHaveProperty('damage')
      })
    )
  })

  test('runs contain exactly the numbers they were made of', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60)), list => {
        const runs = runsOf(list)
        const inside = Array.from({ length: 62 }, (_, number) => number).filter(number =>
          isInRuns(runs, number)
        )
        expect(inside).toEqual([...new Set(list)].sort((left, right) => left - right))
        const garbage = { incarnation: 1, firstGeneration: 2, lastGeneration: 3, runs }
        expect(decodeGarbage(encodeGarbage(garbage))).toEqual(garbage)
      })
    )
  })

  test('set-aside entries come back', () => {
    const strings = fc.option(fc.string({ unit: 'binary', maxLength: 9 }))
    const authors = fc.record({
      user: strings,
      connection: strings,
      origin: fc.constantFrom('client', 'server', 'load')
    })
    fc.assert(
      fc.property(fc.option(authors), fc.string({ unit: 'binary' }), (author, reason) => {
        const entry = { author, timeMs: 1.5, reason, bytes: bytesOf('x') }
        expect(decodeSetAside(encodeSetAside(entry))).toEqual(entry)
      })
    )
  })

  test('a large set-aside entry refers to its parts; making room and dropping remove them', async () => {
    const place = simulatedPlace({}, { setAsideBytesMax: 600_000 })
    const store = await place.open()
    const entry = (reason: string) => ({ author: null, timeMs: 1, reason, bytes: new Uint8Array(300_000) })
    await store.setAside('a', entry('why'))
    const keysAndSizes = () =>
      place.disk.entries().map(([key, value]) => `${key.toString('hex')} ${value.length}`)
    const lines = place.disk
      .entries()
      .filter(([key]) => key[0] === 0x71)
      .map(([key, value]) => `${key.toString('hex')} ${value.toString('hex', 4)}`)

    expect(lines).toEqual([
      '7100016100000000000100' + '0493e0 0c3ff0000000000000000000000377687900000000000100000002'
    ])
    expect(keysAndSizes().slice(-2)).toEqual([
      `7300000000000100000000000100000000 ${5 + 256 * 1024}`,
      `7300000000000100000000000100000001 ${5 + 300_000 - 256 * 1024}`
    ])
    await store.setAside('a', entry('two'))
    await store.setAside('a', entry('three'))
    expect(keysAndSizes().map(line => line.slice(0, 14))).not.toContain('73000000000001')
    for (const { number } of await store.listSetAside('a')) await store.dropSetAside('a', number)
    expect(keysAndSizes().map(line => line.slice(0, 2))).toEqual(['63', '70'])
    await store.close()
  })

  test('a set-aside entry of kind 06 had one name for its author; its address is left out', () => {
    const body = (name: string) => {
      const [author, length] = [Buffer.from(name), Buffer.alloc(4)]
      length.writeUInt32BE(author.length, 0)
      const time = Buffer.from('3ff0000000000000', 'hex')
      return Buffer.concat([time, length, author, Buffer.from('00000003', 'hex'), Buffer.from('whyup')])
    }
    const rest = { timeMs: 1, reason: 'why', bytes: Uint8Array.from(Buffer.from('up')) }
    const client = { user: null, connection: 'AbCdEfGh-1', origin: 'client' }

    expect(decodeSetAsideNamed(body(''))).toEqual({ author: null, ...rest })
    expect(decodeSetAsideNamed(body('203.0.113.7/AbCdEfGh-1'))).toEqual({ author: client, ...rest })
  })
})

function isWithin(key: Buffer, range: { readonly from: Buffer; readonly to: Buffer }): boolean {
  return Buffer.compare(range.from, key) <= 0 && Buffer.compare(key, range.to) < 0
}
