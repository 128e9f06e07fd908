/**
 * One repetition of one scenario on one server, in a process of its own: it starts the server, puts the load on it,
 * reads the figures, and reports to its parent. `node one.js '<json>'` prints them, for profiling by hand.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { closures } from './load/client.js'
import { scenarios } from './scenarios/table.js'
import { startServer } from './server-process.js'
import { servers } from './servers/table.js'

/** What a scenario's `run` gets: the server, running, and how to start it again on the same documents. */
async function runOnce({ scenario: scenarioName, server: serverName, isQuick, trace }) {
  const scenario = scenarios.find(({ name }) => name === scenarioName)
  const kind = servers[serverName]
  const directory = mkdtempSync(join(tmpdir(), 'y-chorus-bench-'))
  const data = join(directory, 'data')
  const context = {
    kind,
    data,
    directory,
    trace: trace ?? null,
    parameters: { ...scenario.parameters, ...(isQuick ? scenario.quick : {}) },
    server: null,
    async restart() {
      context.server = await startServer(kind, { data })
      return context.server
    }
  }
  try {
    await context.restart()
    const { figures, problems } = await scenario.run(context)
    if (closures.length > 0)
      problems.push(`${closures.length} connections ended by the server: ${closures[0]}`)
    return { figures, problems, serverErrors: context.server.errors }
  } catch (error) {
    return { figures: {}, problems: [error.stack], serverErrors: context.server?.errors ?? '' }
  } finally {
    await context.server?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

const outcome = await runOnce(JSON.parse(process.argv[2]))
if (process.send === undefined) console.log(JSON.stringify(outcome, null, 2))
else await new Promise(resolve => process.send(outcome, resolve))
process.exit(0)
