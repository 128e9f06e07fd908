/**
 * Builds the server and the client (tsc), what the package has beside it for `require` and for types (rolldown), and the demo pages
 * (vite): always, or only what is older than its sources.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root, runQuietly, say } from './run.js'

const parts = [
  {
    name: 'server',
    inputs: ['src', 'persistence', 'bus', 'outlets', 'tsconfig.json', 'tsconfig.build.json', 'package.json'],
    product: 'dist/src/command/cli.js',
    // With an error nothing is written, so that the next run does not take a broken build for a good one.
    command: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noEmitOnError'],
    finish: removeOrphans
  },
  {
    name: 'client',
    inputs: ['client', 'tsconfig.json', 'package.json'],
    product: 'dist/client/index.js',
    command: ['node_modules/typescript/bin/tsc', '-p', 'client/tsconfig.build.json', '--noEmitOnError'],
    finish() {}
  },
  {
    name: 'package',
    inputs: [
      'src',
      'client',
      'persistence',
      'bus',
      'outlets',
      'tsconfig.json',
      'tsconfig.build.json',
      'package.json',
      'rolldown.config.js'
    ],
    product: 'dist/types/index.d.ts',
    command: ['node_modules/rolldown/bin/cli.mjs', '-c', 'rolldown.config.js', '--logLevel', 'warn'],
    finish() {}
  },
  {
    name: 'demo pages',
    inputs: ['demo', 'package-lock.json'],
    product: 'demo/dist/index.html',
    command: ['node_modules/vite/bin/vite.js', 'build', 'demo', '--logLevel', 'warn'],
    finish() {}
  }
]

export function build() {
  for (const part of parts) buildPart(part)
}

/** With names: only those parts. */
export function buildStale(...names) {
  const wanted = names.length === 0 ? parts : parts.filter(({ name }) => names.includes(name))
  for (const part of wanted) if (isStale(part)) buildPart(part)
}

function isStale({ name, inputs, product }) {
  if (!existsSync(join(root, product)) || !existsSync(stampOf(name))) return true
  return newest(inputs) > statSync(stampOf(name)).mtimeMs
}

/** The stamp's time is the build's start: a source saved while it ran is newer. */
function buildPart({ name, command, finish }) {
  say(`building the ${name}`)
  const started = new Date()
  runQuietly(process.execPath, command, {
    // What is built must not depend on who builds it: in a test run NODE_ENV is `test`, and packages read that.
    env: { ...process.env, NODE_ENV: 'production' },
    problem: `the ${name} could not be built, as said above`
  })
  finish()
  const stamp = stampOf(name)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, '')
  utimesSync(stamp, started, started)
}

function stampOf(name) {
  return join(root, 'node_modules/.cache/y-chorus', `${name.replace(' ', '-')}.built`)
}

/** The latest modification time at and below these paths, in milliseconds. Folders count: a removal shows only there. */
function newest(paths) {
  return Math.max(
    ...paths.flatMap(path => filesAndFolders(join(root, path))).map(path => statSync(path).mtimeMs)
  )
}

function filesAndFolders(path) {
  if (!statSync(path).isDirectory()) return [path]
  const inside = readdirSync(path).filter(name => name !== 'dist' && name !== 'node_modules')
  return [path, ...inside.flatMap(name => filesAndFolders(join(path, name)))]
}

/** Outputs whose source is gone: tsc leaves them, and they would be packed and published. What rolldown made comes anew. */
function removeOrphans() {
  const dist = join(root, 'dist')
  for (const name of readdirSync(dist, { recursive: true })) {
    if (/\.(map|cjs|d\.cts)$/.test(name)) rmSync(join(dist, name))
  }
  rmSync(join(dist, 'types'), { recursive: true, force: true })
  for (const name of readdirSync(dist, { recursive: true })) {
    const source = name.replace(/\.(js|d\.ts)(\.map)?$/, '.ts')
    if (source !== name && !existsSync(join(root, source)) && !existsSync(join(root, `${source}x`)))
      rmSync(join(dist, name))
  }
}
