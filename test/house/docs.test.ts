/** Disagreements of docs and code planted on purpose: a check that cannot fail holds nothing. */
import { expect, it } from 'vitest'
import { fillTables, renderTables } from '../../scripts/tables.js'
import { flagOf, settings, variableOf } from '../../src/config.ts'
import { faults } from '../../src/errors.ts'
import { defaultLimits } from '../../src/limits.ts'
import {
  changelogFindings,
  fileListFindings,
  invariantFindings,
  linkFindings,
  ruleFindings,
  tableFindings
} from './docs.ts'
import { parse, readText } from './source.ts'

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

it('renders each fault, setting and limit as a row of its own', () => {
  const limitsSource = readText('src/limits.ts')
  const tables = renderTables({ faults, settings, flagOf, variableOf, defaultLimits, limitsSource })
  const rowsOf = (table: string) => table.split('\n').slice(2)

  expect(rowsOf(tables.faults)).toHaveLength(Object.keys(faults).length)
  expect(rowsOf(tables.settings)).toHaveLength(Object.keys(settings).length)
  expect(rowsOf(tables.limits)).toHaveLength(Object.keys(defaultLimits).length)
  expect(tables.faults).toContain(
    '| `ERR_BAD_MESSAGE` | 4400 | must act | 400 | not a message of this protocol |'
  )
  expect(tables.settings).toContain(
    '| `--port <number>` | `CHORUS_PORT`, `PORT` | `1234` | port to listen on;'
  )
  expect(tables.limits).toContain(
    '| `connectionsMax` | 20000 | 20,000 | Open connections of one server. Above: 1013. |'
  )
  expect(tables.limits).toContain('| `drainMs` | 1500 | 1.5 s | Time over which')
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
