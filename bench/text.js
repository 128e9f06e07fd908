/** Results as text for the terminal. */
import { scenarios } from './scenarios/table.js'
import { servers } from './servers/table.js'

/** Three significant digits, as one would say it. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–'
  const size = Math.abs(value)
  if (size >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(size >= 10 ? 1 : 2)
}

/** What the keys of `figures` mean, and in which unit. */
export const figureTitles = {
  cpuUs: 'CPU µs',
  cpuMs: 'CPU ms',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  maxMs: 'max ms',
  listeningMs: 'listening ms',
  cores: 'cores',
  loadCores: 'load cores',
  deliveredPerSecond: 'delivered/s',
  highestPerSecond: 'highest delivered/s',
  typingMaxMs: 'typing max ms',
  keptKB: 'heap + external KB',
  keptMB: 'heap + external MB',
  rssKB: 'RSS KB',
  rssMB: 'RSS MB',
  growth: 'growth × document',
  readyMs: 'first sync ms',
  allMs: 'all synced ms',
  receivedKB: 'KB received',
  lostPercent: 'lost %',
  diskRatio: 'disk × document',
  costRatio: 'last ÷ first',
  joinRatio: 'join last ÷ first',
  joinMs: 'join CPU ms',
  stallMs: 'longest stall ms'
}

export function figureTitle(name) {
  return figureTitles[name] ?? name
}

export function repetitionLine({ scenario, server, repeat, outcome }) {
  const figures = Object.entries(outcome.figures).map(
    ([name, value]) => `${figureTitle(name)} ${number(value)}`
  )
  const head = `${scenario.name.padEnd(22)} ${server.padEnd(18)} #${repeat}  ${figures.join(', ')}`
  if (outcome.problems.length === 0) return head
  const errors = outcome.serverErrors.trim().split('\n').slice(-3).join('\n    ')
  return `${head}\n  !! ${outcome.problems.join('\n  !! ')}${errors === '' ? '' : `\n    ${errors}`}`
}

export function scenarioTable({ scenario: name, medians, bars }) {
  const scenario = scenarios.find(candidate => candidate.name === name)
  const names = [...new Set(Object.values(medians).flatMap(figures => Object.keys(figures)))]
  const rows = [['', ...names.map(figureTitle)]]
  for (const [server, figures] of Object.entries(medians)) {
    rows.push([servers[server].title, ...names.map(figure => number(figures[figure]))])
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)))
  const line = row =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[i]))).join('  ')
  return [`${scenario.title} [${scenario.figure[1]}]`, ...rows.map(line), ...bars.map(barLine)].join('\n')
}

/** What a bar is about. */
export function barTitle({ figure, of }) {
  return of === undefined ? figureTitle(figure) : `${servers[of].title}: ${figureTitle(figure)}`
}

/** A bar in one sentence with both figures. */
export function barLine(bar) {
  const verdict = bar.isMet === null ? 'not measured' : bar.isMet ? 'met' : 'NOT met'
  const sign = bar.least === true ? '>=' : '<='
  const what = barTitle(bar)
  if (bar.min !== undefined) return `${what} ${number(bar.ours)} >= ${number(bar.min)}: ${verdict}`
  if (bar.max !== undefined) return `${what} ${number(bar.ours)} ${sign} ${number(bar.max)}: ${verdict}`
  const others = bar.against.map(name => servers[name].title).join(' or ')
  const ratio = bar.theirs > 0 ? number(bar.ours / bar.theirs) : '–'
  return `${what} ${number(bar.ours)} against ${number(bar.theirs)} (${others}): ${ratio} × ${sign} ${bar.factor} ×: ${verdict}`
}
