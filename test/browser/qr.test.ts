// The QR encoder of the demo, uqr, as the share dialog calls it. The code below was read with zbarimg (ZBar 0.23).
import { encode } from 'uqr'
import { expect, test } from 'vitest'

const chorus = [
  '#######...#.#.#######',
  '#.....#..#....#.....#',
  '#.###.#..#.#..#.###.#',
  '#.###.#....##.#.###.#',
  '#.###.#..####.#.###.#',
  '#.....#.#.....#.....#',
  '#######.#.#.#.#######',
  '.....................',
  '#..#.##.#.####.#.....',
  '..##.#.##.##.#.#.####',
  '#...###.#.##..###.#.#',
  '.##.##.#.#..######...',
  '#..#######.#.###....#',
  '........##...####.#.#',
  '#######..####.#.#..#.',
  '#.....#.#.#...#.#..##',
  '#.###.#..#..###..#..#',
  '#.###.#.##...##.#..##',
  '#.###.#..###.####...#',
  '#.....#...###...#....',
  '#######.##...#.##..#.'
]

test('a short text becomes the code a scanner has read', () => {
  const { data } = encode('chorus', { ecc: 'M', boostEcc: false, border: 0 })

  expect(data.map(row => row.map(dark => (dark ? '#' : '.')).join(''))).toEqual(chorus)
})

test('what fits into no code is an error, which the dialog turns into words', () => {
  expect(() => encode('x'.repeat(2332), { ecc: 'M' })).toThrow('too long')
})
