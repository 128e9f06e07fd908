/** Disagreements of docs and code planted on purpose: a check that cannot fail holds nothing. */
import { expect, it } from 'vitest'
import { renderFileList } from '../../scripts/file-list.js'
import { fillTables, renderTables } from '../../scripts/tables.js'
import {
  changelogFindings,
  fileListFindings,
  invariantFindings,
  linkFindings,
  pathFindings,
  ruleFindings,
  tableFindings,
  threatFindings
} from './docs.ts'
import { parse } from './source.ts'

const page = (path: string, ...lines: readonly string[]) => ({ path, text: lines.join('\n') })

it('finds a rule without a test, a test without a rule, and a page without rules', () => {
  const protocol = page(
    'PROTOCOL.md',
    '- **YW1** one',
    '### YW2 two',
    '**AW3** three',
    'as YW9 says, **YW9** too',
    '- I1'
  )
  const tests = [
    parse(
      'test/a.test.ts',
      "it('[YW1, AW3] a', () => {})\nit.each([1])('[YW4] b', () => {})\nlog('[YW5]')\nit('[I1]')"
    )
  ]

  expect(ruleFindings(protocol, tests)).toEqual([
    'PROTOCOL.md:2: rule YW2 has no test; title one [YW2] …',
    'test/a.test.ts:2: [YW4] is no rule; write it down in PROTOCOL.md'
  ])
  expect(ruleFindings(page('PROTOCOL.md', 'text'), [])).toHaveLength(1)
})

it('finds a file that is not listed, and a listed one that is not there', () => {
  const architecture = page('ARCHITECTURE.md', '1. `src/a.ts` first', '2. [store](persistence/gone.ts)')

  expect(fileListFindings(architecture, ['src/a.ts', 'src/room/b.ts'])).toEqual([
    'ARCHITECTURE.md: src/room/b.ts is not listed; say what it owns',
    'ARCHITECTURE.md: persistence/gone.ts is listed and is not there; remove its line'
  ])
})

it('finds an invariant that is missing', () => {
  const architecture = page('ARCHITECTURE.md', '- **I1** one', 'I2 is mentioned', '| I3 | three', 'as in I4')

  expect(invariantFindings(architecture, 4)).toEqual([
    'ARCHITECTURE.md: invariant I4 is missing; give it a line "- **I4** …"'
  ])
})

it('finds a version without an entry', () => {
  expect(changelogFindings(page('CHANGELOG.md', '# Changes', '## [0.1.0] - soon'), '0.1.0')).toEqual([])
  expect(
    changelogFindings(page('CHANGELOG.md', '## 0.1.0-rc1', '## 10.1.0', '### 0.1.0'), '0.1.0')
  ).toHaveLength(1)
})

it('finds a table without markers, and one that differs from the code', () => {
  const fill = (text: string) => fillTables(text, { faults: '| one |\n| two |' })
  const good = '<!-- table:faults -->\n\n| one |\n| two |\n\n<!-- /table -->\n'

  expect(tableFindings(page('A.md', good), 'faults', fill)).toEqual([])
  expect(tableFindings(page('A.md', good.replace('two', '2')), 'faults', fill)).toEqual([
    'A.md:4: the table differs from the code; run node scripts/tables.js'
  ])
  expect(tableFindings(page('A.md', 'no markers'), 'faults', fill)).toHaveLength(1)
})

it('lists each file with its opening comment, after the files that it imports', () => {
  const list = renderFileList([
    { path: 'src/a.ts', text: "/**\n * Owns a\n * and <more>.\n */\nimport { b } from './b.ts'\n" },
    { path: 'src/b.ts', text: '// Owns b.\n// And c.\nexport const b = 1\n' },
    { path: 'src/in/c.ts', text: '#!/usr/bin/env node\n/** Owns c. */\n' }
  ])

  expect(list.split('\n')).toEqual([
    '## src',
    '',
    '- [src/b.ts](../src/b.ts): Owns b. And c.',
    '- [src/a.ts](../src/a.ts): Owns a and \\<more>.',
    '',
    '## src/in',
    '',
    '- [src/in/c.ts](../src/in/c.ts): Owns c.'
  ])
  expect(() => renderFileList([{ path: 'src/d.ts', text: 'const d = 1\n' }])).toThrow(
    'src/d.ts has no opening comment'
  )
})

it('renders each fault, setting and limit as a row of its own', () => {
  const tables = renderTables({
    faults: {
      ERR_ACT: { closeCode: 4400, httpStatus: 400, publicReason: 'act' },
      ERR_WAIT: { closeCode: 4500, httpStatus: 500, publicReason: 'wait' }
    },
    settings: {
      logLevel: { value: 'a|b', env: null, fallback: 'info', help: 'how much' },
      limit: { value: 'pair', env: 'LIMIT', fallback: [], help: 'bounds' }
    },
    flagOf: name => `--${name}`,
    variableOf: name => `CHORUS_${name}`,
    defaultLimits: { roomsMax: 20_000, cacheBytesMax: 1.5 * 2 ** 20, drainMs: 1_500, clockMax: 2 ** 47 },
    sources: [
      {
        path: 'src/base/limits.ts',
        text: [
          '/** Not a field. */',
          'export const defaultLimits = {',
          '  /** Open rooms. */',
          '  roomsMax: 20_000,',
          '  /** Bytes kept.',
          '   *  Above: forgotten. */',
          '  cacheBytesMax: 1.5 * MiB,',
          '  drainMs: 1_500,',
          '  /** The highest clock. */',
          '  clockMax: 2 ** 47',
          '}'
        ].join('\n')
      }
    ],
    shapes: {},
    kindOf: () => '',
    api: { paths: {}, tags: [] },
    exposed: '# HELP b_total Of b\n# TYPE b_total counter\n# HELP a Of a\n# TYPE a gauge\n'
  })
  const rowsOf = (table: string) =>
    table
      .split('\n')
      .slice(2)
      .map(row => row.replaceAll(/ +/g, ' '))

  expect(rowsOf(tables.faults)).toEqual([
    '| `ERR_ACT` | 4400 | must act | 400 | act |',
    '| `ERR_WAIT` | 4500 | retries | 500 | wait |'
  ])
  expect(rowsOf(tables.settings)).toEqual([
    '| `--logLevel <a\\|b>` | `CHORUS_logLevel` | `info` | how much |',
    '| `--limit <pair>` | `CHORUS_limit`, `LIMIT` | none | bounds |'
  ])
  expect(rowsOf(tables.limits)).toEqual([
    '| `roomsMax` | 20000 | 20,000 | Open rooms. |',
    '| `cacheBytesMax` | 1572864 | 1.5 MiB | Bytes kept. Above: forgotten. |',
    '| `drainMs` | 1500 | 1.5 s | Goes with the one above. |',
    '| `clockMax` | 140737488355328 | 2^47 | The highest clock. |'
  ])
})

it('finds a threat without a test', () => {
  const rows = [
    '| a | b | `test/a.test.ts`: it holds |',
    '| c | d | `test/a.test.ts`: it breaks |',
    '| e | f | `test/b.test.ts`: x |'
  ]
  const files = [page('test/a.test.ts', "test('it holds, always')")]

  expect(threatFindings(page('SECURITY.md', ...rows), files)).toEqual([
    'SECURITY.md: test/a.test.ts has no test "it breaks"',
    'SECURITY.md: there is no test/b.test.ts'
  ])
  expect(threatFindings(page('SECURITY.md', 'nothing'), files)).toHaveLength(1)
})

it('finds links to missing files and headings, outside of code', () => {
  const text = [
    '[a](b.md) [b](./b.md#a-heading-of-b) [c](../README.md) [d](https://example.org/x.md) [e](#own) [f](.)',
    '`[code](gone.md)`',
    '```',
    '[block](gone.md)',
    '```',
    '[gone](gone.md "title") ![picture](picture.png)',
    '[wrong](b.md#nowhere)',
    '[reference]: gone.md',
    '## Own'
  ].join('\n')
  const pages = [
    { path: 'docs/a.md', text },
    { path: 'docs/b.md', text: '# A `heading` of B\n' }
  ]

  expect(linkFindings(pages, ['docs/a.md', 'docs/b.md', 'README.md'])).toEqual([
    'docs/a.md:6: gone.md leads nowhere; there is no docs/gone.md',
    'docs/a.md:6: picture.png leads nowhere; there is no docs/picture.png',
    'docs/a.md:7: b.md#nowhere leads to no heading of docs/b.md',
    'docs/a.md:8: gone.md leads nowhere; there is no docs/gone.md'
  ])
})

it('finds a path in backticks that is not there, in the repository or beside its page', () => {
  const pages = [
    page('demo/README.md', 'In `src/page.ts`, `src/gone.ts` and `src/pages/`.'),
    page('docs/a.md', '`src/room`, `src/rooms`, `demo/dist/index.html`, `application/json`, `./docs/a.md`')
  ]
  const paths = ['demo/README.md', 'demo/src/page.ts', 'demo/src/pages/a.ts', 'docs/a.md', 'src/room/room.ts']

  expect(pathFindings(pages, paths)).toEqual([
    'demo/README.md:1: there is no src/gone.ts',
    'docs/a.md:1: there is no src/rooms'
  ])
})
