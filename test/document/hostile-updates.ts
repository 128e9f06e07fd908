/**
 * Updates that no honest client wrote, as fast-check arbitraries, so that a failure shrinks to the few bytes that
 * matter: real updates damaged, and updates written from the grammar with small clients and clocks, so that their
 * structs meet one another.
 */
import fc from 'fast-check'
import { createDecoder, readVarUint } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeUint8Array, writeVarString, writeVarUint } from 'lib0/encoding'
import * as Y from 'yjs'
import { createHistory, createRandom, type Random, seed } from './random-docs.ts'

/** Runs of each property; with FUZZ_MS as many as that time allows instead. The same seed gives the same cases in order. */
const runs = 250
const { FUZZ_MS: fuzzMs } = process.env

/** Parameters of every fuzzing property: FUZZ_MS and SEED of the environment. fast-check prints the seed on failure. */
export function budget(share = 1): fc.Parameters<unknown> {
  if (fuzzMs === undefined) return { seed, numRuns: Math.ceil(runs * share), verbose: 0 }
  return { seed, numRuns: 1_000_000_000, interruptAfterTimeLimit: Number(fuzzMs) * share, verbose: 0 }
}

/** One damage; numbers are taken modulo the length, so that shrinking keeps their meaning. */
export type Damage =
  | { readonly type: 'set'; readonly at: number; readonly value: number }
  | { readonly type: 'flip'; readonly at: number; readonly bit: number }
  | { readonly type: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly type: 'remove'; readonly at: number; readonly count: number }
  | { readonly type: 'repeat'; readonly at: number; readonly count: number }
  | { readonly type: 'number'; readonly at: number; readonly value: number }
  | { readonly type: 'graft'; readonly at: number; readonly from: number }

const at = fc.nat(0xffff)
const count = fc.integer({ min: 1, max: 12 })
const smallByte = fc.integer({ min: 0, max: 12 })
const hugeNumbers = [127, 128, 2 ** 14, 2 ** 21, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1]

export const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ type: fc.constant('set' as const), at, value: fc.oneof(smallByte, fc.nat(255)) }),
  fc.record({ type: fc.constant('flip' as const), at, bit: fc.nat(7) }),
  fc.record({
    type: fc.constant('insert' as const),
    at,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 6 })
  }),
  fc.record({ type: fc.constant('remove' as const), at, count }),
  fc.record({ type: fc.constant('repeat' as const), at, count }),
  fc.record({ type: fc.constant('number' as const), at, value: fc.constantFrom(...hugeNumbers) }),
  fc.record({ type: fc.constant('graft' as const), at, from: at })
)

/** The bytes after the damages; `donor` is what a graft goes on with. */
export function damaged(bytes: Uint8Array, damages: readonly Damage[], donor: Uint8Array): Uint8Array {
  return damages.reduce((before, each) => applyDamage(before, each, donor), bytes)
}

/** For tests that draw from a Random: damages of every kind, one to three. */
export function randomDamages(random: Random): Damage[] {
  return (
    fc.sample(fc.array(damage, { minLength: 1, maxLength: 3 }), {
      numRuns: 1,
      seed: random.below(0x7fffffff)
    })[0] ?? []
  )
}

function applyDamage(bytes: Uint8Array, each: Damage, donor: Uint8Array): Uint8Array {
  const place = bytes.length === 0 ? 0 : each.at % bytes.length
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)]
  switch (each.type) {
    case 'set':
      return concat(before, Uint8Array.of(each.value), after.subarray(1))
    case 'flip':
      return concat(before, Uint8Array.of((after[0] ?? 0) ^ (1 << each.bit)), after.subarray(1))
    case 'insert':
      return concat(before, each.bytes, after)
    case 'remove':
      return concat(before, after.subarray(each.count))
    case 'repeat':
      return concat(before, after.subarray(0, each.count), after)
    case 'number':
      return concat(before, varUint(each.value), after.subarray(varUintLength(after)))
    case 'graft':
      return concat(before, donor.subarray(donor.length === 0 ? 0 : each.from % donor.length))
    default:
      return each satisfies never
  }
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

function varUint(value: number): Uint8Array {
  const encoder = createEncoder()
  writeVarUint(encoder, value)
  return toUint8Array(encoder)
}

/** How many bytes the number that may begin here takes. */
function varUintLength(bytes: Uint8Array): number {
  try {
    const decoder = createDecoder(bytes)
    readVarUint(decoder)
    return decoder.pos
  } catch {
    return 1
  }
}

/** A damaged update of a real history, and the history. */
export type DamagedUpdate = { readonly update: Uint8Array; readonly honest: readonly Uint8Array[] }

export const damagedUpdate: fc.Arbitrary<DamagedUpdate> = fc
  .record({
    history: fc.nat(0x7fffffff),
    of: fc.nat(100),
    donor: fc.nat(100),
    damages: fc.array(damage, { minLength: 1, maxLength: 3 })
  })
  .map(({ history, of, donor, damages }) => {
    const { updates } = createHistory(createRandom(history), { clients: 3, steps: 30 })
    const all = [...updates, Y.mergeUpdates([...updates, emptyUpdate])]
    const pick = (index: number) => all[index % all.length] ?? emptyUpdate
    return { update: damaged(pick(of), damages, pick(donor)), honest: updates }
  })
  // Running the history again for the message would tell nothing: the bytes do.
  .map(each => Object.assign(each, { [fc.toStringMethod]: () => Buffer.from(each.update).toString('hex') }))

export const emptyUpdate = new Uint8Array([0, 0])

/** Clients of the grammar: so few that they refer to one another. */
const client = fc.integer({ min: 1, max: 3 })
const clock = fc.oneof({ weight: 9, arbitrary: fc.nat(8) }, { weight: 1, arbitrary: fc.constant(2 ** 31) })
const id = fc.tuple(client, clock)
const text = fc.constantFrom('a', 'xy', '😀', 'é', '', '\u0000', 'k')
const json = fc.oneof(
  fc.json({ maxDepth: 2 }),
  fc.constantFrom('{}', '[]', 'null', '1', '"a"', '{"__proto__":1}', 'undefined')
)
const root = fc.constantFrom('a', 'b', '')
const parent = fc.oneof(root, id)

type Content = { readonly ref: number; readonly write: (bytes: Encoder) => void }
type Encoder = ReturnType<typeof createEncoder>

const anyBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.constantFrom(
    Uint8Array.of(126),
    Uint8Array.of(127),
    Uint8Array.of(120),
    Uint8Array.of(125, 5),
    Uint8Array.of(118, 0),
    Uint8Array.of(117, 1, 126),
    Uint8Array.of(122, 0, 0, 0, 0, 0, 0, 0, 1),
    Uint8Array.of(124, 0x7f, 0xc0, 0, 0),
    Uint8Array.of(116, 1, 0)
  ),
  fc
    .tuple(
      fc.constantFrom('__proto__', 'constructor', 'toJSON', 'length', 'a'),
      fc.constantFrom(126, 120, 118)
    )
    .map(([key, ref]) =>
      concat(
        Uint8Array.of(118, 1, key.length),
        Buffer.from(key),
        Uint8Array.of(ref),
        ref === 118 ? Uint8Array.of(0) : new Uint8Array()
      )
    )
)

const content: fc.Arbitrary<Content> = fc.oneof(
  fc.nat(3).map(length => of(1, bytes => writeVarUint(bytes, length))),
  fc.array(json, { maxLength: 2 }).map(texts =>
    of(2, bytes => {
      writeVarUint(bytes, texts.length)
      for (const each of texts) writeVarString(bytes, each)
    })
  ),
  fc.uint8Array({ maxLength: 3 }).map(each =>
    of(3, bytes => {
      writeVarUint(bytes, each.length)
      writeUint8Array(bytes, each)
    })
  ),
  text.map(each => of(4, bytes => writeVarString(bytes, each))),
  json.map(each => of(5, bytes => writeVarString(bytes, each))),
  fc.tuple(text, json).map(([key, value]) =>
    of(6, bytes => {
      writeVarString(bytes, key)
      writeVarString(bytes, value)
    })
  ),
  fc.tuple(fc.nat(7), text).map(([type, name]) =>
    of(7, bytes => {
      writeVarUint(bytes, type)
      if (type === 3 || type === 5) writeVarString(bytes, name)
    })
  ),
  fc.array(anyBytes, { maxLength: 3 }).map(values =>
    of(8, bytes => {
      writeVarUint(bytes, values.length)
      for (const each of values) writeUint8Array(bytes, each)
    })
  ),
  fc.tuple(text, anyBytes).map(([guid, options]) =>
    of(9, bytes => {
      writeVarString(bytes, guid)
      writeUint8Array(bytes, options)
    })
  )
)

function of(ref: number, write: (bytes: Encoder) => void): Content {
  return { ref, write }
}

type Struct = (bytes: Encoder) => void

const item: fc.Arbitrary<Struct> = fc
  .record({
    origin: fc.option(id),
    right: fc.option(id),
    parent,
    key: fc.option(fc.constantFrom('k', 'l', '')),
    content
  })
  .map(each => bytes => {
    const { origin, right, key } = each
    const info = (origin ? 0x80 : 0) | (right ? 0x40 : 0) | (key === null ? 0 : 0x20) | each.content.ref
    writeUint8Array(bytes, Uint8Array.of(info))
    for (const number of [...(origin ?? []), ...(right ?? [])]) writeVarUint(bytes, number)
    if (!origin && !right) writeParent(bytes, each.parent, key)
    each.content.write(bytes)
  })

function writeParent(bytes: Encoder, where: string | [number, number], key: string | null): void {
  writeVarUint(bytes, typeof where === 'string' ? 1 : 0)
  if (typeof where === 'string') writeVarString(bytes, where)
  else for (const number of where) writeVarUint(bytes, number)
  if (key !== null) writeVarString(bytes, key)
}

const filler: fc.Arbitrary<Struct> = fc
  .tuple(fc.constantFrom(0, 10), fc.integer({ min: 1, max: 3 }))
  .map(([ref, length]) => bytes => {
    writeUint8Array(bytes, Uint8Array.of(ref))
    writeVarUint(bytes, length)
  })

const struct = fc.oneof({ weight: 8, arbitrary: item }, { weight: 1, arbitrary: filler })

const ranges = fc.array(fc.tuple(clock, fc.integer({ min: 1, max: 3 })), { maxLength: 4 })

/** An update of the grammar. Most are refused for one thing or another; the scanner decides. */
export const writtenUpdate: fc.Arbitrary<Uint8Array> = fc
  .record({
    blocks: fc.uniqueArray(
      fc.record({ client, clock, structs: fc.array(struct, { minLength: 1, maxLength: 4 }) }),
      { maxLength: 3, selector: each => each.client }
    ),
    deletes: fc.uniqueArray(fc.record({ client, ranges }), { maxLength: 2, selector: each => each.client })
  })
  .map(({ blocks, deletes }) => {
    const bytes = createEncoder()
    writeVarUint(bytes, blocks.length)
    for (const block of blocks) {
      for (const number of [block.structs.length, block.client, block.clock]) writeVarUint(bytes, number)
      for (const write of block.structs) write(bytes)
    }
    writeVarUint(bytes, deletes.length)
    for (const each of deletes) {
      for (const number of [each.client, each.ranges.length, ...each.ranges.flat()])
        writeVarUint(bytes, number)
    }
    return toUint8Array(bytes)
  })
