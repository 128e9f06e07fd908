/**
 * One run: every chosen scenario on every chosen server, the servers alternating, each repetition in a process of its
 * own. Medians, then the bars.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pinned } from './machine.js'

const program = fileURLToPath(new URL('one.js', import.meta.url))
const repetitionMs = 15 * 60_000

/** `onRepetition({ scenario, server, repeat, outcome })` is called as each ends. */
export async function runCampaign({ scenarios, servers, repeats, isQuick, trace }, onRepetition) {
  const results = []
  for (const scenario of scenarios) {
    const who = scenario.servers.filter(name => servers.includes(name))
    const outcomes = new Map(who.map(name => [name, []]))
    for (let repeat = 1; repeat <= repeats; repeat++) {
      for (const server of who) {
        const outcome = await runInProcess({ scenario: scenario.name, server, isQuick, trace })
        outcomes.get(server).push(outcome)
        onRepetition({ scenario, server, repeat, outcome })
      }
    }
    results.push(summarize(scenario, outcomes))
  }
  return results
}

/** The load generator's own process, on the core that the server does not have. */
function runInProcess(job) {
  const [execPath, ...execArgv] = pinned([process.execPath], 0)
  return new Promise(resolve => {
    const child = fork(program, [JSON.stringify(job)], { execPath, execArgv, stdio: 'inherit' })
    const timer = setTimeout(() => child.kill('SIGTERM'), repetitionMs)
    let outcome = null
    child.on('message', message => {
      outcome = message
    })
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      const problem = `the load process ended with ${signal ?? code}`
      resolve(outcome ?? { figures: {}, problems: [problem], serverErrors: '' })
    })
  })
}

function summarize(scenario, outcomes) {
  const medians = {}
  const problems = {}
  const repetitions = {}
  for (const [server, list] of outcomes) {
    medians[server] = mediansOf(list.map(({ figures }) => figures))
    repetitions[server] = list.map(({ figures }) => figures)
    const found = list.flatMap(outcome => outcome.problems)
    if (found.length > 0) problems[server] = found
  }
  return { scenario: scenario.name, medians, problems, repetitions, bars: judge(scenario.bars, medians) }
}

function mediansOf(list) {
  const names = new Set(list.flatMap(figures => Object.keys(figures)))
  return Object.fromEntries(
    [...names].map(name => [name, median(list.map(figures => figures[name]).filter(Number.isFinite))])
  )
}

function median(values) {
  if (values.length === 0) return null
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * Each bar with both figures: against the best of other servers by a factor, or against a fixed `max` or `min`. `of` names
 * whose figure it is, if not Chorus's with y-websocket clients. `isMet` is
 * null when one of the two was not measured.
 */
export function judge(bars, medians) {
  return bars.map(bar => {
    const ours = medians[bar.of ?? 'chorus']?.[bar.figure] ?? null
    if (bar.min !== undefined)
      return { ...bar, ours, limit: bar.min, isMet: ours === null ? null : ours >= bar.min }
    if (bar.max !== undefined)
      return { ...bar, ours, limit: bar.max, isMet: ours === null ? null : ours <= bar.max }
    const theirs = bar.against.map(server => medians[server]?.[bar.figure]).filter(Number.isFinite)
    if (ours === null || theirs.length === 0) return { ...bar, ours, limit: null, isMet: null }
    // `least`: more is better, so the best of the others is the highest.
    const best = bar.least === true ? Math.max(...theirs) : Math.min(...theirs)
    const limit = bar.factor * best
    return { ...bar, ours, theirs: best, limit, isMet: bar.least === true ? ours >= limit : ours <= limit }
  })
}
