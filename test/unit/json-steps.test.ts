/** JSON that is parsed in steps, against JSON.parse. */
import { describe, expect, test } from 'vitest'
import { parseInSteps } from '../../src/base/json-steps.ts'
import { createRandom, type Random, seed } from '../document/random-docs.ts'

function parsed(json: string): { value: unknown; steps: number } {
  const work = parseInSteps(new TextEncoder().encode(json))
  for (let steps = 0; ; steps++) {
    const { done, value } = work.next()
    if (done === true) return { value, steps }
  }
}

const texts = ['', 'a', '"', '\\', '\\"', 'ü€😀', '[{,:}]', '\n', '__proto__', '\ud800']

function anyValue(random: Random, depth: number): unknown {
  const kind = depth === 0 ? 4 + random.below(2) : random.below(depth > 4 ? 4 : 6)
  if (kind === 0) return [null, true, false][random.below(3)]
  if (kind === 1) return (random.next() - 0.5) * 10 ** random.below(20)
  const text = () => (texts[random.below(texts.length)] as string).repeat(random.below(40) === 0 ? 9_000 : 1)
  if (kind < 4) return text()
  const count = random.below(depth === 0 ? 60 : 5)
  const members = Array.from({ length: count }, () => anyValue(random, depth + 1))
  return kind === 4 ? members : Object.fromEntries(members.map((value, at) => [`${text()}${at}`, value]))
}

describe(`JSON in steps (seed ${seed})`, () => {
  test('is what JSON.parse makes of it', () => {
    let longest = 0
    for (let run = 0; run < 60; run++) {
      const json = JSON.stringify(anyValue(createRandom(seed + run), 0))
      const { value, steps } = parsed(json)
      expect(JSON.stringify(value), `seed ${seed + run}`).toBe(JSON.stringify(JSON.parse(json)))
      longest = Math.max(longest, steps)
    }
    expect(longest).toBeGreaterThan(3)
  })

  test('takes a step for each few kilobytes, however deep a long list lies', () => {
    const pieces = Array.from({ length: 50_000 }, (_, at) => ({ change: 'kept', by: at, text: 'abc' }))
    const json = JSON.stringify({ types: { body: { pieces } } })
    const { value, steps } = parsed(json)
    expect(value).toEqual(JSON.parse(json))
    expect(json.length / steps).toBeLessThan(20_000)
  })

  test('has a member of the name __proto__ as any other', () => {
    const long = 'x'.repeat(20_000)
    for (const json of ['{"__proto__":{"a":1}}', `{"__proto__":["${long}"],"b":1}`]) {
      const { value } = parsed(json)
      expect(Object.keys(value as object)).toContain('__proto__')
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    }
  })

  test.each([
    '',
    '[',
    '{"a"',
    '[1,',
    '[1]]',
    '{"a":1]',
    '"a',
    `["${'x'.repeat(20_000)}"`,
    `[${'1,'.repeat(20_000)}`
  ])('is refused where it is none (%#)', json => {
    expect(() => parsed(json)).toThrow()
  })
})
