/**
 * The demo's bars on speed, with a real Chromium: how soon the server and each page are there (`quick`), and how smooth a
 * page stays in a busy room (`smooth`). Prints the figures; a bar that is missed is a failure, and the exit code is 1.
 * Wants a machine that does nothing else, so `npm test` does not run it.
 *
 *   node bench/pages.js [quick] [smooth]
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const command = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'bench/pages/vitest.config.js']

const { status } = spawnSync(process.execPath, [...command, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit'
})
process.exitCode = status ?? 1
