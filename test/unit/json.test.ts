/** How deep JSON nests, told from its bytes; judged against values made by chance. */
import { expect, test } from 'vitest'
import { isDeeper, parseJson } from '../../src/base/json.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'

const bytesOf = (text: string) => Buffer.from(text)

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

const texts = ['', '[', '{"', '\\', '\\"[', '"', ']}', 'a[b', 'ü[', '\u{1f600}{', '\n']

function valueBy(random: () => number, depth: number): unknown {
  const kind = random()
  const text = () => texts[Math.floor(random() * texts.length)] ?? ''
  if (depth === 0 || kind < 0.2) return kind < 0.1 ? 7 : text()
  const size = Math.floor(random() * 4)
  if (kind < 0.6) return Array.from({ length: size }, () => valueBy(random, depth - 1))
  return Object.fromEntries(Array.from({ length: size }, () => [text(), valueBy(random, depth - 1)]))
}

test(`the depth is that of the value, whatever its texts hold (seed ${seed})`, () => {
  const random = randomOf(seed)
  for (let i = 0; i < 2_000; i++) {
    const value = valueBy(random, 6)
    const json = bytesOf(JSON.stringify(value, null, i % 3))
    const depth = depthOf(value)

    expect(isDeeper(json, depth)).toBe(false)
    if (depth > 0) expect(isDeeper(json, depth - 1)).toBe(true)
  }
})

test('JSON that nests no deeper than it may is parsed, other is refused, whatever its size', () => {
  const nested = (depth: number) => bytesOf(`${'[1,'.repeat(depth)}2${']'.repeat(depth)}`)

  expect(parseJson(nested(10), 10)).toHaveLength(2)
  expect(() => parseJson(nested(11), 10)).toThrow(SyntaxError)
  expect(() => parseJson(nested(1_000_000), 500)).toThrow(SyntaxError)
  expect(() => parseJson(bytesOf(']]]]{'), 2)).toThrow(SyntaxError)
  expect(() => parseJson(Uint8Array.of(0xff), 2)).toThrow(TypeError)
})
