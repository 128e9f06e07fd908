/**
 * Rewrites the tables of the docs that repeat the code, between `<!-- table:name -->` and `<!-- /table -->`:
 * `faults` in PROTOCOL.md, `http` in docs/http.md, `settings`, `limits` and `metrics` in docs/operating.md, the list of files in docs/files.md.
 * test/docs.test.ts holds them equal.
 *
 *   node scripts/tables.js
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildStale } from './build.js'
import { readSources, renderFileList } from './file-list.js'
import { describedApi, httpReference } from './http-tables.js'
import { optionTables } from './option-tables.js'
import { isMain, root, runScript, say } from './run.js'

/** Which file holds which table. */
export const tableHomes = {
  faults: 'PROTOCOL.md',
  settings: 'docs/operating.md',
  limits: 'docs/operating.md',
  files: 'docs/files.md',
  options: 'docs/options.md',
  metrics: 'docs/operating.md',
  http: 'docs/http.md'
}

const limitFiles = [
  'limits',
  'history-limits',
  'http-limits',
  'feed-limits',
  'edit-limits',
  'stream-limits'
].map(name => `src/base/${name}.ts`)

/**
 * The tables as Markdown, by name. `sources` are all source files; the comments of `limitFiles` say what limits do.
 */
export function renderTables({
  faults,
  settings,
  flagOf,
  variableOf,
  defaultLimits,
  sources,
  shapes,
  kindOf,
  exposed,
  api
}) {
  const textOf = path => sources.find(source => source.path === path)?.text ?? ''
  return {
    faults: faultsTable(faults),
    settings: settingsTable(settings, { flagOf, variableOf }),
    limits: limitsTable(defaultLimits, limitFiles.map(textOf).join('\n')),
    files: renderFileList(sources),
    options: optionTables({ shapes, textOf, kindOf, table }),
    metrics: metricsTable(exposed),
    http: httpReference(api, table)
  }
}

/** The text with each table's lines between its markers replaced. Tables without markers are left out. */
export function fillTables(text, tables) {
  return text.replaceAll(/(<!-- table:(\w+) -->\n)[\s\S]*?(<!-- \/table -->)/g, (all, open, name, close) =>
    Object.hasOwn(tables, name) ? `${open}\n${tables[name]}\n\n${close}` : all
  )
}

function faultsTable(faults) {
  const rows = Object.entries(faults).map(([code, { closeCode, httpStatus, publicReason }]) => {
    // The band in which y-websocket 3.1 and later stop by themselves.
    const client = closeCode >= 4400 && closeCode <= 4499 ? 'must act' : 'retries'
    return [`\`${code}\``, String(closeCode), client, String(httpStatus), publicReason]
  })
  return table(['Fault', 'Close code', 'Client', 'HTTP status', 'Reason'], rows)
}

function settingsTable(settings, { flagOf, variableOf }) {
  const rows = Object.entries(settings).map(([name, { value, env, fallback, help }]) => {
    const variables = [variableOf(name), ...(env === null ? [] : [env])].map(each => `\`${each}\``).join(', ')
    const shown = Array.isArray(fallback) || fallback === '' ? 'none' : `\`${fallback}\``
    return [`\`${flagOf(name)} <${value}>\``, variables, shown, help]
  })
  return table(['Flag', 'Variables', 'Default', 'What it does'], rows)
}

function limitsTable(limits, source) {
  const comments = commentsOf(source)
  const rows = Object.entries(limits).map(([name, value]) => {
    return [
      `\`${name}\``,
      String(value),
      readable(name, value),
      comments.get(name) ?? 'Goes with the one above.'
    ]
  })
  return table(['Limit', 'Default', 'That is', 'What it bounds, and what happens there'], rows)
}

/** Of everything that a server may have, as its metrics say it themselves. */
export async function exposedMetrics(createMetrics) {
  const metrics = createMetrics()
  metrics.nodeNamed('one')
  metrics.countAmongOthers({
    bus: () => ({ isWell: true, queuedMessages: 0, queuedBytes: 0, counts: {} }),
    presence: () => ({ own: 0, others: 0, expired: 0 })
  })
  metrics.countFeed(() => [])
  metrics.collectProcess()
  try {
    return (await metrics.expose()).text
  } finally {
    metrics.close()
  }
}

function metricsTable(exposed) {
  const kinds = new Map([...exposed.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name, kind]))
  const rows = [...exposed.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => {
    return [`\`${name}\``, kinds.get(name), help]
  })
  return table(
    ['Metric', 'Kind', 'What it says'],
    rows.sort(([one], [other]) => (one < other ? -1 : 1))
  )
}

/** Each `/** … *\/` comment by the field on the line after it. */
function commentsOf(source) {
  const fields = source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*\n\s*(\w+):/g)
  return new Map([...fields].map(([, text, name]) => [name, text.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim()]))
}

/** A number with the unit that its name ends with, or begins its end with: `frameBytesMax`, `drainMs`. */
function readable(name, value) {
  if (/Bytes/.test(name))
    return inUnits(value, [
      [2 ** 30, 'GiB'],
      [2 ** 20, 'MiB'],
      [2 ** 10, 'KiB'],
      [1, 'bytes']
    ])
  if (/Megabytes/.test(name))
    return inUnits(value, [
      [2 ** 10, 'GiB'],
      [1, 'MiB']
    ])
  if (/Ms(Max|Min)?$/.test(name))
    return inUnits(value, [
      [60_000, 'min'],
      [1_000, 's'],
      [1, 'ms']
    ])
  if (Number.isInteger(Math.log2(value)) && value > 2 ** 32) return `2^${Math.log2(value)}`
  return value.toLocaleString('en-US')
}

/** In the largest unit in which it has at most one decimal. */
function inUnits(value, units) {
  const [size, unit] =
    units.find(([each]) => value >= each && Number.isInteger((value * 10) / each)) ?? units.at(-1)
  return `${(value / size).toLocaleString('en-US')} ${unit}`
}

/** Columns are padded as Biome's formatter does it, so that the two never undo one another. */
function table(head, rows) {
  const cells = [head, ...rows].map(row => row.map(cell => cell.replaceAll('|', '\\|')))
  const widths = head.map((_, column) => Math.max(3, ...cells.map(row => row[column].length)))
  const line = row => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  const [first, ...others] = cells.map(line)
  return [first, line(widths.map(width => '-'.repeat(width))), ...others].join('\n')
}

async function readBuilt() {
  const [
    { faults },
    { settings, flagOf, variableOf },
    { defaultLimits },
    { kindOf },
    { shapes },
    { createMetrics },
    { createServer }
  ] = await Promise.all([
    import('../dist/src/base/errors.js'),
    import('../dist/src/command/config.js'),
    import('../dist/src/base/limits.js'),
    import('../dist/src/base/check.js'),
    import('../dist/src/options.js'),
    import('../dist/src/base/metrics.js'),
    import('../dist/src/index.js')
  ])
  const sources = readSources()
  const exposed = await exposedMetrics(createMetrics)
  const api = await describedApi(createServer)
  return { faults, settings, flagOf, variableOf, defaultLimits, sources, shapes, kindOf, exposed, api }
}

async function main() {
  buildStale()
  const tables = renderTables(await readBuilt())
  for (const file of new Set(Object.values(tableHomes))) {
    const path = join(root, file)
    if (!existsSync(path)) {
      say(`there is no ${file} yet`)
      continue
    }
    const before = readFileSync(path, 'utf8')
    const after = fillTables(before, tables)
    if (after !== before) writeFileSync(path, after)
    say(`${file} ${after === before ? 'was up to date' : 'has its tables again'}`)
  }
}

if (isMain(import.meta.url)) await runScript(main)
