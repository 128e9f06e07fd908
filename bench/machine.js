/** What the figures were taken on: the machine, the versions, the commit; and the pinning of processes to cores. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)

const isPinning = cpus().length > 1 && spawnSync('taskset', ['-c', '0', 'true']).status === 0

/** The command with its arguments, held to one core where that can be done. */
export function pinned(command, core) {
  return isPinning ? ['taskset', '-c', String(core), ...command] : command
}

export function machine() {
  return {
    cpu: cpus()[0].model.trim(),
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    pinned: isPinning,
    load: loadavg()[0]
  }
}

/** Versions of what was measured; null for what is not installed. */
export function versions() {
  const own = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).version
  return {
    chorus: own,
    node: process.versions.node,
    'node (Hocuspocus)': packageVersion('node'),
    yjs: packageVersion('yjs'),
    ws: packageVersion('ws'),
    '@y/websocket-server': packageVersion('@y/websocket-server'),
    '@y/websocket-server with y-leveldb': packageVersion('websocket-server-0.1.1'),
    'y-leveldb': packageVersion('y-leveldb'),
    '@hocuspocus/server': packageVersion('@hocuspocus/server')
  }
}

export function commit() {
  try {
    const git = (...parameters) => execFileSync('git', parameters, { cwd: root, encoding: 'utf8' }).trim()
    const isChanged = git('status', '--porcelain', '--', 'src', 'persistence') !== ''
    return git('rev-parse', '--short', 'HEAD') + (isChanged ? ' with changes' : '')
  } catch {
    return 'unknown'
  }
}

function packageVersion(name) {
  for (const directory of require.resolve.paths(name)) {
    try {
      return JSON.parse(readFileSync(`${directory}/${name}/package.json`, 'utf8')).version
    } catch {
      // Not in this one.
    }
  }
  return null
}
