// QR codes for links: byte mode, error correction level M, versions 1 to 10 (213 bytes). ISO/IEC 18004:2015; the
// clause is named where a number comes from there. It knows nothing of the page: the result is a grid of modules.

/** `modules[y][x]` is true where the code is dark; the quiet zone of four modules is left to who draws it. */
export type QrCode = { readonly size: number; readonly modules: readonly (readonly boolean[])[] }

type Version = {
  readonly number: number
  readonly size: number
  /** Data codewords of all blocks together. */
  readonly dataBytes: number
  readonly blocks: number
  readonly checkBytesPerBlock: number
  /** Rows and columns whose crossings carry alignment patterns (annex E). */
  readonly alignment: readonly number[]
}

/** A grid under construction: `fixed` marks function patterns, which data and masks leave alone. */
type Grid = { readonly size: number; readonly dark: boolean[][]; readonly fixed: boolean[][] }

// Table 9, level M, versions 1 to 10: all codewords, blocks, check codewords per block.
const totalBytes = [26, 44, 70, 100, 134, 172, 196, 242, 292, 346]
const blockCounts = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5]
const checkBytes = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26]
const alignments = [
  [],
  [6, 18],
  [6, 22],
  [6, 26],
  [6, 30],
  [6, 34],
  [6, 22, 38],
  [6, 24, 42],
  [6, 26, 46],
  [6, 28, 50]
]

/**
 * Encodes a text as UTF-8 into the smallest version that holds it; null when it is longer than 213 bytes. Some
 * readers guess another character set, so give it a percent-encoded link: that is all ASCII.
 */
export function encodeQr(text: string): QrCode | null {
  const bytes = new TextEncoder().encode(text)
  const version = versions().find(candidate => bytes.length <= byteCapacity(candidate))
  if (version === undefined) return null
  const codewords = interleave(version, dataCodewords(bytes, version))
  const grid = emptyGrid(version.size)
  drawFunctionPatterns(grid, version)
  drawCodewords(grid, codewords)
  const best = bestMasked(grid)
  return { size: version.size, modules: best.dark }
}

function versions(): Version[] {
  return alignments.map((alignment, index) => {
    const blocks = blockCounts[index] ?? 0
    const checkBytesPerBlock = checkBytes[index] ?? 0
    const dataBytes = (totalBytes[index] ?? 0) - blocks * checkBytesPerBlock
    return { number: index + 1, size: 21 + 4 * index, dataBytes, blocks, checkBytesPerBlock, alignment }
  })
}

/** The bits before the text: mode (4) and its length (8, or 16 from version 10 on; table 3). */
function lengthBits(version: Version): number {
  return version.number < 10 ? 8 : 16
}

function byteCapacity(version: Version): number {
  return Math.floor((version.dataBytes * 8 - 4 - lengthBits(version)) / 8)
}

/** Mode, length, text, terminator, then the two pad bytes in turn (7.4.10). */
function dataCodewords(bytes: Uint8Array, version: Version): number[] {
  const bits: number[] = []
  const push = (value: number, length: number) => {
    for (let bit = length - 1; bit >= 0; bit--) bits.push((value >>> bit) & 1)
  }
  push(0b0100, 4)
  push(bytes.length, lengthBits(version))
  for (const byte of bytes) push(byte, 8)
  push(0, Math.min(4, version.dataBytes * 8 - bits.length))
  while (bits.length % 8 !== 0) bits.push(0)
  for (let pad = 0xec; bits.length < version.dataBytes * 8; pad ^= 0xec ^ 0x11) push(pad, 8)
  const codewords: number[] = []
  for (let at = 0; at < bits.length; at += 8) {
    codewords.push(bits.slice(at, at + 8).reduce((value, bit) => value * 2 + bit, 0))
  }
  return codewords
}

/** Splits into blocks (the longer ones last), adds check codewords and takes them column by column (7.6). */
function interleave(version: Version, data: readonly number[]): number[] {
  const { blocks, checkBytesPerBlock } = version
  const shortLength = Math.floor(data.length / blocks)
  const shortBlocks = blocks - (data.length % blocks)
  const divisor = generatorPolynomial(checkBytesPerBlock)
  const dataBlocks: number[][] = []
  for (let block = 0, at = 0; block < blocks; block++) {
    const length = shortLength + (block < shortBlocks ? 0 : 1)
    dataBlocks.push(data.slice(at, at + length))
    at += length
  }
  const checkBlocks = dataBlocks.map(block => remainder(block, divisor))
  return [...columns(dataBlocks), ...columns(checkBlocks)]
}

function columns(blocks: readonly (readonly number[])[]): number[] {
  const longest = Math.max(...blocks.map(block => block.length))
  const result: number[] = []
  for (let column = 0; column < longest; column++) {
    for (const block of blocks) {
      const codeword = block[column]
      if (codeword !== undefined) result.push(codeword)
    }
  }
  return result
}

// Reed-Solomon over GF(256) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (7.5.2).

function multiply(a: number, b: number): number {
  let product = 0
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d)
    product ^= ((b >>> bit) & 1) * a
  }
  return product
}

/** Coefficients of (x - 2^0)(x - 2^1)…, highest power first, its leading 1 left out. */
function generatorPolynomial(degree: number): number[] {
  let result: number[] = Array.from({ length: degree }, (_, index) => (index === degree - 1 ? 1 : 0))
  let root = 1
  for (let power = 0; power < degree; power++) {
    result = result.map((value, index) => multiply(value, root) ^ (result[index + 1] ?? 0))
    root = multiply(root, 2)
  }
  return result
}

function remainder(data: readonly number[], divisor: readonly number[]): number[] {
  let rest: number[] = divisor.map(() => 0)
  for (const value of data) {
    const factor = value ^ (rest[0] ?? 0)
    rest = divisor.map((coefficient, index) => (rest[index + 1] ?? 0) ^ multiply(coefficient, factor))
  }
  return rest
}

function emptyGrid(size: number): Grid {
  const plane = () => Array.from({ length: size }, () => Array.from({ length: size }, () => false))
  return { size, dark: plane(), fixed: plane() }
}

/** Sets a module and marks it as not part of the data; outside the grid nothing happens. */
function fix(grid: Grid, x: number, y: number, dark: boolean): void {
  const row = grid.dark[y]
  const fixedRow = grid.fixed[y]
  if (row === undefined || fixedRow === undefined || x < 0 || x >= grid.size) return
  row[x] = dark
  fixedRow[x] = true
}

function drawFunctionPatterns(grid: Grid, version: Version): void {
  const far = grid.size - 4
  for (let at = 0; at < grid.size; at++) {
    fix(grid, at, 6, at % 2 === 0)
    fix(grid, 6, at, at % 2 === 0)
  }
  for (const [x, y] of [
    [3, 3],
    [far, 3],
    [3, far]
  ] as const) {
    drawRings(grid, { x, y, radius: 4, light: [2, 4] })
  }
  drawAlignment(grid, version)
  drawFormat(grid, 0)
  if (version.number >= 7) drawVersion(grid, version.number)
}

type Rings = {
  readonly x: number
  readonly y: number
  readonly radius: number
  readonly light: readonly number[]
}

/** Squares around a centre; the radii in `light` are light. Finders (6.3.3) and alignment patterns (6.3.6). */
function drawRings(grid: Grid, { x, y, radius, light }: Rings): void {
  for (let dy = -radius; dy <= radius; dy++) {
    for (let dx = -radius; dx <= radius; dx++) {
      fix(grid, x + dx, y + dy, !light.includes(Math.max(Math.abs(dx), Math.abs(dy))))
    }
  }
}

/** The three crossings that fall on finders stay free. */
function drawAlignment(grid: Grid, { alignment, size }: Version): void {
  for (const y of alignment) {
    for (const x of alignment) {
      const isOnFinder = (x === 6 && y === 6) || (x === 6 && y === size - 7) || (x === size - 7 && y === 6)
      if (!isOnFinder) drawRings(grid, { x, y, radius: 2, light: [1] })
    }
  }
}

/** Level M is 00; 15 bits with a BCH code, written twice (7.9), and the module that is always dark. */
function drawFormat(grid: Grid, mask: number): void {
  let rest = mask
  for (let step = 0; step < 10; step++) rest = (rest << 1) ^ ((rest >>> 9) * 0x537)
  const bits = ((mask << 10) | rest) ^ 0x5412
  const bit = (index: number) => ((bits >>> index) & 1) === 1
  for (let index = 0; index < 15; index++) {
    // Beside the upper left finder: down column 8, then back along row 8; both skip the timing patterns.
    if (index < 8) fix(grid, 8, index < 6 ? index : index + 1, bit(index))
    else fix(grid, index === 8 ? 7 : 14 - index, 8, bit(index))
    // The copy: from the right edge along row 8, then up column 8 from the lower left finder.
    if (index < 8) fix(grid, grid.size - 1 - index, 8, bit(index))
    else fix(grid, 8, grid.size - 15 + index, bit(index))
  }
  fix(grid, 8, grid.size - 8, true)
}

/** Versions from 7 on say their number: 18 bits with a BCH code, twice (7.10). */
function drawVersion(grid: Grid, version: number): void {
  let rest = version
  for (let step = 0; step < 12; step++) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25)
  const bits = (version << 12) | rest
  for (let index = 0; index < 18; index++) {
    const dark = ((bits >>> index) & 1) === 1
    const along = Math.floor(index / 3)
    const across = grid.size - 11 + (index % 3)
    fix(grid, across, along, dark)
    fix(grid, along, across, dark)
  }
}

/** Two columns at a time, right to left, up and down in turn, around everything fixed (7.7.3). */
function drawCodewords(grid: Grid, codewords: readonly number[]): void {
  let bit = 0
  for (let right = grid.size - 1; right >= 1; right -= 2) {
    // Column 6 is the timing pattern: the pairs left of it are shifted by one.
    const column = right <= 6 ? right - 1 : right
    const isUpward = ((grid.size - 1 - right) / 2) % 2 === 0
    for (let step = 0; step < grid.size; step++) {
      const y = isUpward ? grid.size - 1 - step : step
      for (const x of [column, column - 1]) {
        const row = grid.dark[y]
        if (row === undefined || grid.fixed[y]?.[x]) continue
        row[x] = (((codewords[bit >>> 3] ?? 0) >>> (7 - (bit & 7))) & 1) === 1
        bit++
      }
    }
  }
}

/** The eight masks of table 10: true where a data module is inverted. */
const masks: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_x, y) => y % 2 === 0,
  x => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0
]

function bestMasked(grid: Grid): Grid {
  const candidates = masks.map((isInverted, number) => {
    const dark = grid.dark.map((row, y) =>
      row.map((value, x) => (grid.fixed[y]?.[x] ? value : value !== isInverted(x, y)))
    )
    const candidate: Grid = { ...grid, dark }
    drawFormat(candidate, number)
    return { candidate, penalty: penalty(candidate) }
  })
  return candidates.reduce((best, next) => (next.penalty < best.penalty ? next : best)).candidate
}

/** How hard a code is to read (7.8.3): runs, blocks, look-alikes of finders, and imbalance. */
function penalty(grid: Grid): number {
  const rows = grid.dark
  const turned = rows.map((_, x) => rows.map(row => row[x] ?? false))
  const lines = [...rows, ...turned]
  return (
    sum(lines.map(runPenalty)) + sum(lines.map(finderPenalty)) + blockPenalty(rows) + balancePenalty(rows)
  )
}

function runPenalty(line: readonly boolean[]): number {
  let points = 0
  for (let start = 0, at = 1; at <= line.length; at++) {
    if (at < line.length && line[at] === line[start]) continue
    const length = at - start
    if (length >= 5) points += length - 2
    start = at
  }
  return points
}

function finderPenalty(line: readonly boolean[]): number {
  const text = line.map(dark => (dark ? '1' : '0')).join('')
  const found = [...text.matchAll(/(?=00001011101|10111010000)/g)]
  return found.length * 40
}

function blockPenalty(rows: readonly (readonly boolean[])[]): number {
  let points = 0
  for (let y = 1; y < rows.length; y++) {
    for (let x = 1; x < rows.length; x++) {
      const value = rows[y]?.[x]
      const isBlock =
        value === rows[y]?.[x - 1] && value === rows[y - 1]?.[x] && value === rows[y - 1]?.[x - 1]
      if (isBlock) points += 3
    }
  }
  return points
}

function balancePenalty(rows: readonly (readonly boolean[])[]): number {
  const dark = sum(rows.map(row => row.filter(Boolean).length))
  const percent = (dark * 100) / (rows.length * rows.length)
  return Math.floor(Math.abs(percent - 50) / 5) * 10
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
