/**
 * The house rules that a machine can hold: imports point one way, packages live in one place, no cycle, nothing grows
 * too long, the words of the style guide. ARCHITECTURE.md says why; the checks themselves are in test/house/.
 */
import { expect, it } from 'vitest'
import {
  cycleFindings,
  dependencyFindings,
  type Homes,
  homeFindings,
  importsOf,
  type Layers,
  layerFindings
} from './house/imports.ts'
import { sizeFindings } from './house/sizes.ts'
import { readText, repositoryFiles, sourcesIn } from './house/source.ts'
import { type BannedWord, machineFindings, typeAndCommentFindings, wordFindings } from './house/words.ts'

const { errors, limits, log, metrics, pacer, reader, time } = {
  errors: 'src/errors.ts',
  limits: 'src/limits.ts',
  log: 'src/log.ts',
  metrics: 'type src/metrics.ts',
  pacer: 'type src/pacer.ts',
  reader: 'src/reader.ts',
  time: 'type src/time.ts'
}
const store = 'persistence/store.ts'

/** cli → server → {transport, http, hooks} → room → {document, dialect/message, store, bus} → {errors, limits}. */
const layers: Layers = {
  'src/cli.ts': [
    ...['src/server.ts', 'src/sign-in.ts', 'src/set-aside-command.ts', 'src/config.ts', 'src/control.ts'],
    ...['src/access/request.ts', 'type src/options.ts', log, 'persistence/index.ts']
  ],
  'src/set-aside-command.ts': ['src/control.ts', 'persistence/index.ts'],
  'src/sign-in.ts': ['src/access/', 'src/config.ts', 'type src/options.ts', limits, `type ${log}`],
  'src/index.ts': [
    ...['src/server.ts', 'type src/options.ts', 'type src/hooks/', 'src/access/'],
    ...['type src/transport/stateless.ts', errors, limits, log, time]
  ],
  'src/options.ts': [
    ...['type persistence/index.ts', 'type src/access/', 'type src/chaos/', 'type src/hooks/'],
    ...['type src/room/', 'type src/transport/', `type ${limits}`, `type ${log}`, time]
  ],
  'src/server.ts': [
    'type src/options.ts',
    ...[
      'src/transport/',
      'src/access/',
      'src/chaos/',
      'src/http/',
      'src/hooks/',
      'src/room/',
      'src/document/compactor.ts',
      'persistence/index.ts'
    ],
    ...['src/control.ts', 'src/metrics.ts', 'src/pacer.ts', 'src/time.ts', errors, limits, log]
  ],
  'src/transport/': [
    'src/room/',
    'src/dialect/',
    'src/access/',
    'src/budget.ts',
    'src/work-queue.ts',
    errors,
    limits,
    `type ${log}`,
    metrics,
    pacer,
    time
  ],
  'src/access/': [errors, limits, `type ${log}`, metrics, time],
  'src/http/': ['src/room/', 'type src/access/', store, errors, limits, `type ${log}`, metrics],
  'src/chaos/': [
    ...[
      'src/http/router.ts',
      'src/transport/path.ts',
      'src/transport/refuse-upgrade.ts',
      'src/access/gate.ts',
      errors,
      `type ${limits}`,
      `type ${log}`,
      time
    ]
  ],
  'src/chaos/leash.ts': ['src/cli.ts'],
  'src/hooks/': [
    'src/room/',
    'src/document/',
    'src/work-queue.ts',
    store,
    errors,
    `type ${limits}`,
    `type ${log}`,
    metrics,
    time
  ],
  'src/room/': [
    ...[
      'src/document/',
      'src/budget.ts',
      store,
      errors,
      `type ${limits}`,
      `type ${log}`,
      metrics,
      pacer,
      time
    ],
    // The room speaks in messages and frames; which dialect they become is its members' business.
    ...['src/dialect/message.ts', 'src/dialect/frame.ts', 'src/dialect/awareness-update.ts']
  ],
  'src/document/': [errors, limits, reader],
  'src/dialect/': [errors, reader],
  'src/config.ts': [limits, log, 'src/transport/path.ts'],
  'src/metrics.ts': [`type ${errors}`],
  'src/reader.ts': [errors],
  'src/control.ts': [],
  'src/pacer.ts': [time],
  'src/budget.ts': [],
  'src/work-queue.ts': [errors],
  'src/time.ts': [],
  'src/log.ts': [],
  'src/errors.ts': [],
  'src/limits.ts': [],
  'persistence/': []
}

/** Each third-party package in one place, and what touches the outside world where it is expected. */
const homes: Homes = {
  ws: ['src/transport/upgrade.ts', 'type src/transport/connection.ts'],
  pino: ['src/log.ts'],
  'prom-client': ['src/metrics.ts'],
  zod: ['src/config.ts'],
  jose: ['src/access/jwt.ts', 'src/access/jwks.ts', 'src/access/sign.ts'],
  level: ['persistence/level-backend.ts'],
  yjs: ['src/document/compact.ts', 'src/hooks/edit.ts'],
  lib0: ['src/dialect/'],
  'node:worker_threads': ['src/document/compactor.ts', 'src/document/compact-worker.ts'],
  'node:http': [
    ...['src/http/', 'src/transport/', 'src/access/request.ts', 'type src/access/', 'type src/server.ts'],
    ...['type src/options.ts', 'type src/chaos/']
  ],
  'node:https': ['src/access/request.ts'],
  'node:net': ['src/http/listener.ts', 'src/transport/', 'src/chaos/pipe.ts'],
  'node:fs': [
    ...['src/cli.ts', 'src/sign-in.ts', 'src/control.ts', 'src/http/pages.ts', 'persistence/directory.ts'],
    ...['src/document/compact-worker.ts', 'src/chaos/']
  ]
}

const banned: readonly BannedWord[] = [
  ...['util', 'utils', 'helper', 'helpers'].map(word => ({ word, instead: 'the noun of what it is about' })),
  ...['manager', 'managers'].map(word => ({
    word,
    instead: 'what it does, or the plural of what it keeps',
    // The name of an option of y-codemirror.next.
    exceptIn: ['demo/src/text-editor.ts']
  })),
  { word: 'handler2', instead: 'what tells it from the first' },
  {
    word: 'snapshot',
    instead: '"checkpoint" (Yjs uses snapshot for history)',
    // LevelDB's, a consistent view for reading; in the last one Yjs's.
    exceptIn: [
      ...['copy', 'level-backend', 'ordered', 'reading', 'simulated'].map(name => `persistence/${name}.ts`),
      'test/interop/trace.test.ts'
    ]
  }
]

const sizes = { fileLinesMax: 400, functionLinesMax: 70, functionLinesP90: 30 }

const files = repositoryFiles()
const code = sourcesIn(files, ['src/', 'persistence/'])
const everything = sourcesIn(files, ['src/', 'persistence/', 'test/', 'demo/'])
const imports = code.flatMap(importsOf)

it('has files to look at', () => {
  expect(code.length).toBeGreaterThan(20)
  expect(imports.length).toBeGreaterThan(50)
})

it('imports point one way, from the command down to the faults and limits', () => {
  expect(layerFindings(imports, layers)).toEqual([])
})

it('each package is imported only at its home', () => {
  expect(homeFindings(imports, homes)).toEqual([])
})

it('package.json depends on exactly the packages that are imported', () => {
  const { dependencies } = JSON.parse(readText('package.json')) as { dependencies: Record<string, string> }

  expect(dependencyFindings(imports, Object.keys(dependencies))).toEqual([])
})

it('no import cycle, types included', () => {
  expect(cycleFindings(imports)).toEqual([])
})

it('files have at most 400 lines, functions at most 70 and nine of ten at most 30', () => {
  expect(sizeFindings(code, sizes)).toEqual([])
})

it('names use the words of the style guide', () => {
  expect(wordFindings(everything, banned)).toEqual([])
})

it('no any, no TODO without an issue, no compiler switched off', () => {
  expect(typeAndCommentFindings(everything)).toEqual([])
})

it('no file names a path of one machine or a package registry', () => {
  expect(machineFindings(files)).toEqual([])
})
