/** The pages agree with the code and the tests, in both directions. The checks themselves are in test/house/docs.ts. */
import { expect, it } from 'vitest'
import { readSources } from '../scripts/file-list.js'
import { describedApi } from '../scripts/http-tables.js'
import { exposedMetrics, fillTables, renderTables, tableHomes } from '../scripts/tables.js'
import { kindOf } from '../src/base/check.ts'
import { faults } from '../src/base/errors.ts'
import { defaultLimits } from '../src/base/limits.ts'
import { createMetrics } from '../src/base/metrics.ts'
import { flagOf, settings, variableOf } from '../src/command/config.ts'
import { createServer } from '../src/index.ts'
import { shapes } from '../src/options.ts'
import {
  changelogFindings,
  fileListFindings,
  invariantFindings,
  linkFindings,
  pathFindings,
  ruleFindings,
  tableFindings,
  threatFindings
} from './house/docs.ts'
import { readText, repositoryFiles, sourcesIn, type TextFile } from './house/source.ts'

const invariantCount = 13

const files = repositoryFiles()
const page = (path: string): TextFile => ({ path, text: readText(path) })

it('every rule of PROTOCOL.md has a test, and every rule id in a test title is a rule', () => {
  const tests = sourcesIn(
    files.filter(({ path }) => path.endsWith('.test.ts')),
    ['test/']
  )

  expect(ruleFindings(page('PROTOCOL.md'), tests)).toEqual([])
})

it.each(['faults', 'settings', 'limits', 'files', 'options', 'metrics', 'http'] as const)(
  'the table of %s says what the code says',
  async name => {
    const sources = readSources()
    const tables = renderTables({
      faults,
      settings,
      flagOf,
      variableOf,
      defaultLimits,
      sources,
      shapes,
      kindOf,
      exposed: await exposedMetrics(createMetrics),
      api: await describedApi(createServer)
    })

    expect(
      tableFindings(page(tableHomes[name]), name, text => fillTables(text, { [name]: tables[name] }))
    ).toEqual([])
  }
)

it('every metric that a page names is there', async () => {
  const known = await exposedMetrics(createMetrics)
  const pages = files.filter(({ path }) => path.endsWith('.md') && path !== 'CHANGELOG.md')
  const named = pages.flatMap(({ text }) => [...text.matchAll(/`(chorus_[a-z_]+)/g)].map(([, name]) => name))

  expect(named.filter(name => !known.includes(`# TYPE ${name} `))).toEqual([])
  expect(named.length).toBeGreaterThan(20)
})

it('docs/files.md lists every source file, and none that is gone', () => {
  const paths = sourcesIn(files, ['src/', 'persistence/', 'bus/', 'outlets/', 'client/']).map(
    ({ path }) => path
  )

  expect(fileListFindings(page('docs/files.md'), paths)).toEqual([])
})

it('ARCHITECTURE.md names every invariant', () => {
  expect(invariantFindings(page('ARCHITECTURE.md'), invariantCount)).toEqual([])
})

it('CHANGELOG.md has an entry for the version in package.json', () => {
  const { version } = JSON.parse(readText('package.json')) as { version: string }

  expect(changelogFindings(page('CHANGELOG.md'), version)).toEqual([])
})

it('every threat of SECURITY.md names a test that is there', () => {
  expect(threatFindings(page('SECURITY.md'), files)).toEqual([])
})

it('every relative link leads somewhere', () => {
  const pages = files.filter(({ path }) => path.endsWith('.md'))

  expect(
    linkFindings(
      pages,
      files.map(({ path }) => path)
    )
  ).toEqual([])
})

it('every path in backticks is there', () => {
  const pages = files.filter(({ path }) => path.endsWith('.md'))

  expect(
    pathFindings(
      pages,
      files.map(({ path }) => path)
    )
  ).toEqual([])
})
