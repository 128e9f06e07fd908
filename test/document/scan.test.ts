/** The structural check: what it reports, each refusal, and that it takes all that Yjs writes. */
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { contentDepthMax, isJson, utf16Units } from '../../src/document/content-check.ts'
import { createScanner, isEmptyUpdate, scanUpdate } from '../../src/document/scan.ts'
import { exercise } from './oracle.ts'
import { createHistory, createRandom, createWideHistory, type Random, seed } from './random-docs.ts'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
/** `text` as a lib0 string, in hex. */
const str = (text: string) => Buffer.from([Buffer.byteLength(text), ...Buffer.from(text)]).toString('hex')
/** One client 1 with one struct at clock 0, in root type "a". */
const inRoot = (info: string, content: string) => `01 01 01 00 ${info} 01 01 61 ${content} 00`

describe('scanUpdate', () => {
  it('reports what a keystroke brings and what it hangs on', () => {
    const one = new Y.Doc()
    const two = new Y.Doc()
    one.clientID = 2 ** 53 - 1
    two.clientID = 7
    one.getText('t').insert(0, 'ab😀')
    Y.applyUpdate(two, Y.encodeStateAsUpdate(one))
    let update: Uint8Array = new Uint8Array()
    two.on('update', (event: Uint8Array) => {
      update = event
    })

    two.getText('t').insert(1, 'x')

    expect(scanUpdate(update)).toEqual({
      structs: [{ client: 7, clock: 0, length: 1 }],
      deletes: [],
      dependencies: [{ client: 2 ** 53 - 1, clock: 1 }]
    })
    expect(scanUpdate(Y.encodeStateAsUpdate(two)).dependencies).toEqual([])
  })

  it('merges neighbours, leaves Skips out and counts UTF-16 units', () => {
    const update = bytes(
      `01 04 05 02 84 05 01 ${str('é😀')} 84 05 04 ${str('a')} 0a 03 00 02  01 05 02 00 01 01 02`
    )

    expect(scanUpdate(update)).toEqual({
      structs: [
        { client: 5, clock: 2, length: 4 },
        { client: 5, clock: 9, length: 2 }
      ],
      deletes: [{ client: 5, clock: 0, length: 3 }],
      dependencies: []
    })
  })

  it('names the highest reference beyond its own structs of a client, once per client', () => {
    const update = bytes(
      `02 02 09 00 44 05 03 ${str('a')} 84 05 07 ${str('b')}  01 05 04 c4 03 02 03 06 ${str('c')} 00`
    )

    expect(scanUpdate(update).dependencies).toEqual([
      { client: 5, clock: 7 },
      { client: 3, clock: 6 }
    ])
  })

  it('knows the empty update', () => {
    expect(isEmptyUpdate(bytes('00 00'))).toBe(true)
    expect(isEmptyUpdate(bytes('00 00 00'))).toBe(false)
    expect(scanUpdate(bytes('00 00'))).toEqual({ structs: [], deletes: [], dependencies: [] })
  })

  it('gives the same in slices', () => {
    const { updates } = createHistory(createRandom(seed), { clients: 3, steps: 200 })
    const whole = Y.mergeUpdates(updates)
    const scanner = createScanner(whole)
    let slices = 1

    while (!scanner.step(100)) slices++

    expect(slices).toBeGreaterThan(whole.length / 400)
    expect(scanner.result()).toEqual(scanUpdate(whole))
    expect(() => createScanner(whole).result()).toThrow('not complete')
  })

  const refusals: [string, string][] = [
    ['nothing at all', ''],
    ['an update that ends before its delete set', '00'],
    ['bytes left over', '00 00 00'],
    ['a client without structs', '01 00 01 00 00'],
    ['GC of length 0', '01 01 01 00 00 00 00'],
    ['Skip of length 0', '01 01 01 00 0a 00 00'],
    ['deleted content of length 0', inRoot('01', '00')],
    ['an empty string', inRoot('04', '00')],
    ['JSON content without values', inRoot('02', '00')],
    ['any content without values', inRoot('08', '00')],
    ['a deletion of length 0', '00 01 01 01 00 00'],
    ['an origin at its own clock', '01 01 01 03 84 01 03 01 61 00'],
    ['a right origin above its own clock', '01 01 01 03 44 01 04 01 61 00'],
    ['a parent at its own clock', '01 01 01 00 04 00 01 00 01 61 00'],
    ['content 11', inRoot('0b', '01')],
    ['content 31', inRoot('1f', '01')],
    ['a Skip with item bits, which Yjs reads in two ways', inRoot('2a', '01')],
    ['type 7', inRoot('07', '07')],
    ['JSON that does not parse', inRoot('05', str('{"a":}'))],
    ['an embed that is the word undefined', inRoot('05', str('undefined'))],
    ['a string that is not UTF-8', inRoot('04', '02 c3 28')],
    ['an encoded surrogate', inRoot('04', '03 ed a0 80')],
    ['an overlong form', inRoot('04', '02 c0 80')],
    ['a key that is not UTF-8', '01 01 01 00 28 01 01 61 01 ff 01 7e 00'],
    ['a clock beyond 2^53 - 1', '01 01 01 01 00 ff ff ff ff ff ff ff 0f 00'],
    ['a number beyond 2^53 - 1', '01 01 01 00 00 80 80 80 80 80 80 80 10 00'],
    ['a number that never ends', '80 80 80 80 80 80 80 80 80 00'],
    ['a length beyond the end', inRoot('04', '7f 61')],
    ['the same client twice', '02 01 01 00 00 01 01 01 01 00 01 00'],
    ['the same client twice, not in a row', '03 01 05 00 00 01 01 01 00 00 01 01 05 01 00 01 00'],
    ['the same client twice in the delete set', '00 02 01 01 00 01 01 01 04 01'],
    ['an unknown any value', inRoot('08', '01 73')],
    ['bytes as the prototype of an object', inRoot('08', `01 76 01 ${str('__proto__')} 74 01 00`)],
    ['a subdocument whose options are null', inRoot('09', `${str('g')} 7e`)],
    ['a subdocument with a guid that is no string', inRoot('09', `${str('g')} 76 01 ${str('guid')} 76 00`)],
    ['a subdocument with a gcFilter', inRoot('09', `${str('g')} 76 01 ${str('gcFilter')} 79`)],
    ['any content nested too deep', inRoot('08', `01 ${'75 01'.repeat(contentDepthMax + 1)} 7e`)]
  ]
  it.each(refusals)('refuses %s', (_, hex) => {
    expect(() => scanUpdate(bytes(hex))).toThrow(expect.objectContaining({ code: 'ERR_UPDATE_MALFORMED' }))
  })

  const accepted: [string, string][] = [
    ['content nested as deep as allowed', inRoot('08', `01 ${'75 01'.repeat(contentDepthMax)} 7e`)],
    ['the word undefined in JSON content', inRoot('02', `01 ${str('undefined')}`)],
    ['a byte order mark as a unit', inRoot('04', '03 ef bb bf')],
    ['any parent info that is not 1 as an id', '01 01 01 00 04 02 02 00 01 61 00'],
    ['a client without ranges in the delete set', '00 01 01 00'],
    ['an XmlHook', inRoot('07', `05 ${str('hook')}`)]
  ]
  it.each(accepted)('accepts %s, and so does Yjs', (_, hex) => {
    expect(scanUpdate(bytes(hex)).structs.length).toBeLessThan(2)
    exercise([bytes(hex)])
  })

  it(`accepts everything Yjs writes, with the ranges Yjs sees (seed ${seed})`, () => {
    for (let round = 0; round < 40; round++) {
      const random = createRandom(seed + round)
      const { updates, docs } = createHistory(random, { clients: 3, steps: 60, gc: random.next() < 0.5 })

      for (const update of formsOf(random, updates, docs)) expectSameRanges(update, `seed ${seed + round}`)
    }
  })

  it(`accepts what Yjs writes with undo, many clients and huge clocks (seed ${seed})`, () => {
    for (let round = 0; round < 20; round++) {
      const random = createRandom(seed + round)
      const { updates, docs } = createWideHistory(random, 80)

      for (const update of formsOf(random, updates, docs)) expectSameRanges(update, `seed ${seed + round}`)
    }
  })
})

/** What Yjs writes of a history: events, whole documents, differences, merges with gaps, and what waits in a document. */
function formsOf(random: Random, updates: readonly Uint8Array[], docs: readonly Y.Doc[]): Uint8Array[] {
  const sparse = Y.mergeUpdates([...updates.filter(() => random.next() < 0.5), bytes('00 00')])
  const pending = new Y.Doc()
  Y.applyUpdate(pending, sparse)
  const vector = Y.encodeStateVector(random.pick(docs))
  return [
    ...updates,
    ...docs.flatMap(doc => [Y.encodeStateAsUpdate(doc), Y.encodeStateAsUpdate(doc, vector)]),
    sparse,
    Y.diffUpdate(sparse, vector),
    Y.convertUpdateFormatV2ToV1(Y.mergeUpdatesV2([Y.convertUpdateFormatV1ToV2(sparse)])),
    Y.encodeStateAsUpdate(pending),
    Y.encodeStateAsUpdate(pending, vector)
  ]
}

function expectSameRanges(update: Uint8Array, message: string): void {
  const theirs = Y.decodeUpdate(update)
  const lengths = theirs.structs.flatMap(struct =>
    struct.constructor.name === 'Skip' ? [] : [struct.length]
  )
  const deleted = [...theirs.ds.clients.values()].flatMap(ranges => ranges.map(({ len }) => len))
  const { structs, deletes } = scanUpdate(update)

  expect(sum(structs.map(({ length }) => length)), message).toBe(sum(lengths))
  expect(sum(deletes.map(({ length }) => length)), message).toBe(sum(deleted))
}

/** Of clocks of several clients, and so beyond what a number holds. */
function sum(lengths: readonly number[]): bigint {
  return lengths.reduce((total, length) => total + BigInt(length), 0n)
}

describe('the checks of content', () => {
  it(`take for JSON what JSON.parse takes (seed ${seed})`, () => {
    const random = createRandom(seed)
    const texts = [
      '{"a":[1,-2.5e+3,null,true,"\\u00e9\\n"]}',
      ' [ ] ',
      '"x\\"y"',
      '0',
      '{"a":{},"b":[[],{}]}',
      '-0.1E1'
    ]
    const alphabet = [...'{}[]",:0123456789.-+eE \\nutrfalse\n\t\u00a0é']
    for (let i = 0; i < 10_000; i++) {
      const text = [...random.pick(texts)]
      for (let j = random.below(3); j > 0; j--)
        text.splice(random.below(text.length), random.below(2), random.pick(alphabet))
      const encoded = new TextEncoder().encode(text.join(''))

      expect(isJson(encoded, 0, encoded.length), text.join('')).toBe(parses(text.join('')))
    }
  })

  it(`count the units that a fatal TextDecoder decodes (seed ${seed})`, () => {
    const random = createRandom(seed)
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    for (let i = 0; i < 10_000; i++) {
      const text = new TextEncoder().encode('aé漢😀\ufeff'.repeat(random.below(8)))
      if (text.length > 0) text[random.below(text.length)] = random.below(256)
      let expected = -1
      try {
        expected = decoder.decode(text).length
      } catch {
        // Not UTF-8: the check must say so.
      }

      expect(utf16Units(text, 0, text.length), Buffer.from(text).toString('hex')).toBe(expected)
    }
  })
})

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
