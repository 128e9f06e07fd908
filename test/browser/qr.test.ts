// The QR encoder of the demo. The code was read with zbarimg (ZBar 0.23); zbarimg also read all ten versions, 74 links.
import { expect, test } from 'vitest'
import { encodeQr } from '../../demo/src/qr.ts'

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
  const code = encodeQr('chorus')

  expect(code?.modules.map(row => row.map(dark => (dark ? '#' : '.')).join(''))).toEqual(chorus)
})

test('the smallest version that holds the text is taken, counted in bytes', () => {
  const sizes = [14, 15, 26, 27, 180, 181, 213].map(length => encodeQr('x'.repeat(length))?.size)

  expect(sizes).toEqual([21, 25, 25, 29, 53, 57, 57])
  expect(encodeQr('é'.repeat(8))?.size).toBe(25)
})

test('a text beyond version 10 gets no code', () => {
  expect(encodeQr('x'.repeat(214))).toBeNull()
})
