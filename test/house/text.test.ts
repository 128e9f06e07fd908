/** Violations of size and wording planted on purpose: a check that cannot fail holds nothing. */
import { expect, it } from 'vitest'
import { functionsOf, percentile, sizeFindings } from './sizes.ts'
import { parse } from './source.ts'
import { machineFindings, typeAndCommentFindings, wordFindings } from './words.ts'

const body = (lines: number) => `{\n${'  work()\n'.repeat(lines - 2)}}`

it('measures functions, methods, constructors, accessors and arrows from brace to brace', () => {
  const text = [
    `function a() ${body(3)}`,
    `class B {\n  constructor() ${body(4)}\n  c() ${body(5)}\n  get d() ${body(6)}\n}`,
    `const e = () => ${body(7)}`,
    'const f = () => [\n  1\n]',
    'declare function g(\n  one: number\n): void'
  ].join('\n')

  const measured = functionsOf(parse('src/a.ts', text)).map(({ name, lines }) => [name, lines])

  expect(measured).toEqual([
    ['a', 3],
    ['the constructor', 4],
    ['c', 5],
    ['d', 6],
    ['e', 7]
  ])
})

it('finds files and functions that are too long, and too many long ones', () => {
  const sizes = { fileLinesMax: 20, functionLinesMax: 10, functionLinesP90: 5 }
  const fits = parse('src/fits.ts', `${'// a line\n'.repeat(10)}function a() ${body(10)}\n`)
  const long = parse('src/long.ts', `${'// a line\n'.repeat(10)}function b() ${body(11)}\n`)

  expect(sizeFindings([fits], { ...sizes, functionLinesP90: 10 })).toEqual([])
  expect(sizeFindings([fits, long], sizes)).toEqual([
    'src/long.ts:1: 21 lines, at most 20; split it by idea',
    'src/long.ts:11: b has 11 lines, at most 10; move leaves out of it',
    'nine of ten functions have up to 11 lines, aim 5; the longest: src/long.ts:11 b (11), src/fits.ts:11 a (10)'
  ])
})

it('takes the smallest value that nine of ten do not exceed', () => {
  const values = Array.from({ length: 10 }, (_, index) => index + 1)

  expect(percentile(values, 0.9)).toBe(9)
  expect(percentile([], 0.9)).toBe(0)
})

it('finds words we do not use in file names and in the names a file gives, and no others', () => {
  const banned = [
    { word: 'manager', instead: 'what it does' },
    { word: 'snapshot', instead: '"checkpoint"', exceptIn: ['persistence/ordered.ts'] }
  ]
  const bad = parse(
    'src/room-manager.ts',
    'class RoomManager {}\nfunction takeSnapshot({ manager }) {}\nconst managerial = 1'
  )
  const good = parse(
    'persistence/ordered.ts',
    "import { UndoManager } from 'yjs'\nnew UndoManager().manager()\nconst snapshot = 1\nlog('manager')"
  )

  expect(wordFindings([bad, good], banned)).toEqual([
    `src/room-manager.ts:1: not "manager" but what it does (in the file's name)`,
    'src/room-manager.ts:1: not "manager" but what it does (in RoomManager)',
    'src/room-manager.ts:2: not "snapshot" but "checkpoint" (in takeSnapshot)',
    'src/room-manager.ts:2: not "manager" but what it does (in manager)'
  ])
})

it('finds any, promises without an issue, and a compiler switched off, in comments only', () => {
  const text = [
    'const a: any = 1 // TODO later',
    '// TODO #12: with an issue, and FIXME (#13) as well',
    '// @ts-ignore',
    "const text = '// TODO @ts-ignore any'",
    '/* @ts-nocheck */',
    'function b(c: unknown[]): asserts c is any[] {}',
    '}/** FIXME */'
  ].join('\n')

  expect(typeAndCommentFindings([parse('src/a.ts', text)]).map(finding => finding.slice(0, 40))).toEqual([
    'src/a.ts:1: not "any" but "unknown", nar',
    'src/a.ts:6: not "any" but "unknown", nar',
    'src/a.ts:1: a TODO without an issue; wri',
    'src/a.ts:3: the compiler is switched off',
    'src/a.ts:5: the compiler is switched off',
    'src/a.ts:7: a TODO without an issue; wri'
  ])
})

it('finds paths of one machine and package registries in any file', () => {
  // Put together here, so that this file is not found itself.
  const path = (folder: string) => ['', folder, 'somebody', 'file'].join('/')
  const url = (host: string) => ['"resolved": "https:', '', host, 'ws', '-', 'ws.tgz"'].join('/')
  const text = [
    `see ${path('work')}`,
    `cd "${path('home')}"`,
    `(${path('root')})`,
    `src${path('work')} and https://example.org${path('home')} are fine`,
    url('registry.npmjs.org'),
    url('npm.artifactory.example.com:8443'),
    'https://www.npmjs.com/package/ws'
  ].join('\n')

  expect(machineFindings([{ path: 'a.md', text }]).map(finding => finding.slice(0, 30))).toEqual([
    'a.md:1: a path of one machine;',
    'a.md:2: a path of one machine;',
    'a.md:3: a path of one machine;',
    'a.md:5: the address of a packa',
    'a.md:6: the address of a packa'
  ])
})
