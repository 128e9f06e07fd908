/**
 * What `npm start` and `npm test` need, made when it is missing: packages, the built server and demo, for tests a
 * browser and services. Runs before any package is installed, so this folder imports nothing but Node's own modules.
 *
 *   node scripts/setup.js start|test|build|stale
 */
import { build, buildStale } from './build.js'
import { ensureChromium } from './chromium.js'
import { ensurePackages } from './packages.js'
import { nodeVersionProblem, runScript, SetupError, say } from './run.js'
import { ensureServices } from './services.js'

const modes = {
  start() {
    ensurePackages()
    buildStale('server', 'client', 'package', 'demo pages')
  },
  test() {
    ensurePackages()
    // Tests must be able to say what is wrong with a tree that does not build, so that does not end here.
    try {
      buildStale()
    } catch (error) {
      if (!(error instanceof SetupError)) throw error
      error.report()
      say('*** the tests go on without ***')
    }
    ensureChromium()
    ensureServices()
  },
  build() {
    ensurePackages()
    build()
  },
  stale() {
    ensurePackages()
    buildStale()
  }
}

function main(mode) {
  if (!Object.hasOwn(modes, mode)) throw new SetupError('usage: node scripts/setup.js start|test|build|stale')
  const problem = nodeVersionProblem(process.versions.node)
  if (problem !== null) throw new SetupError(problem)
  modes[mode]()
}

const [mode] = process.argv.slice(2)
await runScript(() => main(mode))
// Whoever reads the last line of a test run finds one even then.
if (process.exitCode === 1 && mode === 'test') process.stdout.write('0 passed, 1 failed\n')
