/**
 * `npm run dev`: compiles the server and the demo pages as they are saved, and restarts the server on what comes out.
 * Arguments go to the server; without `--data` it keeps documents in memory. Ctrl-C ends all of it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { join } from 'node:path'
import { buildStale } from './build.js'
import { ensurePackages } from './packages.js'
import { root, runScript, say } from './run.js'

const restartDelayMs = 300
const endDelayMs = 3_000

const serverArguments = process.argv.slice(2)
if (!serverArguments.some(argument => /^--data(=|$)/.test(argument)))
  serverArguments.push('--data', ':memory:')

const children = new Set()
let isEnding = false
let server = null
let isRestarting = false
let restart = null

await runScript(main)

function main() {
  ensurePackages()
  buildStale('server', 'demo pages')
  // Not `node --watch`: the server reads the built pages once, and those are no modules of its.
  for (const directory of ['dist', 'demo/dist']) watch(join(root, directory), { recursive: true }, changed)
  // Both compile everything once now; the server starts on what comes out, and prints its address.
  start(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'])
  start(['node_modules/vite/bin/vite.js', 'build', 'demo', '--watch', '--logLevel', 'warn'])
  // A terminal sends Ctrl-C to every child by itself, and a second signal would cut the server's own ending short.
  process.on('SIGINT', () => end(process.stdin.isTTY ? null : 'SIGTERM'))
  process.on('SIGTERM', () => end('SIGTERM'))
}

function start(command) {
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  children.add(child)
  child.on('exit', code => {
    children.delete(child)
    if (isEnding || child === server) return
    say(`${command[0]} ended by itself with ${code}`)
    end('SIGTERM')
  })
  return child
}

/** Compilers write many files in a row: one restart for all of them. */
function changed() {
  clearTimeout(restart)
  if (!isEnding) restart = setTimeout(restartServer, restartDelayMs)
}

/** A server that has ended by itself (a fault in what was just saved) starts again with the next change. */
async function restartServer() {
  if (isRestarting) return changed()
  isRestarting = true
  if (server !== null && children.has(server)) {
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    await ended
  }
  isRestarting = false
  if (!isEnding) server = start(['dist/src/command/cli.js', ...serverArguments])
}

async function end(signal) {
  if (isEnding) return
  isEnding = true
  clearTimeout(restart)
  const ended = [...children].map(child => once(child, 'exit'))
  for (const child of children) if (signal !== null) child.kill(signal)
  setTimeout(() => {
    for (const child of children) child.kill('SIGKILL')
  }, endDelayMs)
  await Promise.all(ended)
  process.exit(0)
}
