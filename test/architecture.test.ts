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

const store = 'persistence/store.ts'
const author = 'persistence/author.ts'
const base = 'src/base/'

/** command → server → { http, chaos, transport, hooks } → documents → room → { document, dialect, store } → base. */
const layers: Layers = {
  'src/command/': [
    ...[
      'src/server.ts',
      'src/options.ts',
      'src/http/description.ts',
      'src/http/control.ts',
      'src/access/',
      base
    ],
    ...['src/cluster/identity.ts', 'persistence/index.ts', 'bus/index.ts'],
    ...[
      'type src/history/policy.ts',
      'type src/documents/history-api.ts',
      'src/feed/stored-letters.ts',
      'outlets/index.ts'
    ]
  ],
  'src/index.ts': [
    ...[
      'src/server.ts',
      'type src/options.ts',
      'type src/documents/',
      'type src/hooks/',
      'type src/feed/',
      'src/access/'
    ],
    ...['type src/transport/stateless.ts', 'type src/history/policy.ts', `type ${author}`, base]
  ],
  'src/options.ts': [
    ...[
      'type persistence/index.ts',
      'type bus/index.ts',
      'type outlets/index.ts',
      'src/access/',
      'type src/chaos/',
      'src/documents/',
      'type src/hooks/',
      'src/history/policy.ts'
    ],
    ...['type src/room/', 'type src/feed/', 'src/transport/path.ts', 'type src/transport/', base]
  ],
  'src/server.ts': [
    ...[
      'src/running.ts',
      'src/opening.ts',
      'src/options.ts',
      'src/transport/',
      'src/access/',
      'src/http/',
      'src/hooks/'
    ],
    ...['type src/documents/', 'type src/feed/', 'persistence/index.ts', 'type bus/index.ts', base]
  ],
  'src/opening.ts': [
    ...[
      'type src/options.ts',
      'src/cluster/identity.ts',
      'src/hooks/seeds.ts',
      'src/hooks/on-change.ts',
      'persistence/index.ts'
    ],
    ...['bus/index.ts', 'outlets/index.ts', base]
  ],
  'src/serving.ts': [
    ...['src/chaos/', 'src/http/', 'src/documents/', 'src/editing/workers.ts', 'src/transport/'],
    ...['type src/options.ts', 'type src/room/', 'type src/cluster/', 'type persistence/store.ts', base]
  ],
  'src/running.ts': [
    'src/serving.ts',
    ...['type src/options.ts', 'src/transport/', 'src/access/', 'src/chaos/', 'src/http/', 'src/documents/'],
    ...[
      'src/hooks/',
      'src/room/',
      'src/history/',
      'src/document/workers.ts',
      'src/document/workers-options.ts',
      'src/editing/workers.ts'
    ],
    ...[
      'src/feed/',
      'type outlets/index.ts',
      'src/cluster/',
      'type persistence/index.ts',
      'type bus/index.ts',
      base
    ]
  ],
  'src/cluster/': [
    ...['type src/room/nodes.ts', 'type src/room/presence-line.ts', 'src/dialect/awareness-update.ts'],
    ...['src/document/byte-writer.ts', `type ${store}`, 'bus/index.ts', base]
  ],
  'src/transport/': ['src/room/', 'src/dialect/', 'src/access/', 'type src/http/message.ts', base],
  'src/access/': [`type ${store}`, base],
  'src/http/': [
    ...['src/documents/', 'src/room/', 'type src/feed/', 'type src/transport/', 'type src/access/'],
    'src/access/gate.ts',
    store,
    base
  ],
  'src/chaos/': [
    ...['src/http/message.ts', 'src/http/route.ts', 'src/transport/path.ts'],
    'src/transport/refuse-upgrade.ts',
    ...['src/access/gate.ts', base]
  ],
  'src/documents/': [
    'src/room/',
    'src/document/',
    'src/history/',
    'src/editing/',
    store,
    ...['type src/dialect/', 'src/dialect/silent-encoder.ts'],
    'type persistence/history.ts',
    `type ${author}`,
    base
  ],
  'src/hooks/': ['src/room/', 'src/document/', `type ${author}`, 'type outlets/outlet.ts', base],
  'src/feed/': [
    ...[
      'type src/room/',
      'src/document/record.ts',
      'src/document/version.ts',
      'type persistence/marks.ts',
      `type ${store}`,
      `type ${author}`
    ],
    ...['outlets/outlet.ts', base]
  ],
  'src/room/': [
    ...['src/document/', 'type src/history/', store, `type ${author}`, base],
    // The room speaks in messages and frames; which dialect they become is its members' business.
    ...['src/dialect/message.ts', 'src/dialect/frame.ts', 'src/dialect/awareness-update.ts'],
    'src/dialect/silent-encoder.ts'
  ],
  'src/history/': ['src/document/', `type ${store}`, 'type persistence/history.ts', author, base],
  'src/editing/': ['src/document/', `type ${author}`, base],
  'src/document/': [author, base],
  'src/dialect/': [base],
  'src/base/': [],
  'persistence/': [],
  'bus/': [],
  'outlets/': [],
  // Runs where nothing of the server is.
  'client/': []
}

/** Each third-party package in one place, and what touches the outside world where it is expected. */
const homes: Homes = {
  ws: [
    'src/transport/web-sockets.ts',
    'type src/transport/upgrade.ts',
    'type src/transport/connection.ts',
    'type src/transport/connection-parts.ts',
    'type src/transport/listening.ts'
  ],
  pino: ['src/base/log.ts'],
  'prom-client': ['src/base/metrics.ts', 'src/base/feed-metrics.ts'],
  zod: ['src/base/check.ts', 'src/command/config.ts', 'src/http/', 'src/chaos/routes.ts'],
  jose: ['src/access/jwt.ts', 'src/access/jwks.ts', 'src/access/sign.ts'],
  level: ['persistence/level-backend.ts'],
  ioredis: ['bus/redis.ts', 'outlets/redis.ts'],
  '@nats-io/transport-node': ['bus/nats.ts', 'outlets/nats.ts'],
  'rabbitmq-client': ['bus/rabbitmq.ts', 'outlets/rabbitmq.ts'],
  '@modelcontextprotocol/server': ['src/http/mcp.ts'],
  kafkajs: ['outlets/kafka.ts'],
  pg: ['persistence/postgres/driver.ts'],
  yjs: [
    'client/',
    ...['src/document/compact.ts', 'src/document/contents.ts', 'src/documents/edit.ts'],
    ...['src/documents/view-thread.ts', 'type src/documents/fill-roots.ts'],
    ...[
      'src/history/segment.ts',
      'src/history/keyframe.ts',
      'src/history/restore.ts',
      'src/history/differences.ts',
      'src/history/held.ts',
      'src/history/keyframe.ts',
      'src/document/contents.ts',
      'src/editing/'
    ]
  ],
  lib0: ['src/dialect/', 'client/'],
  'y-protocols': ['client/'],
  idb: ['client/local-copy.ts'],
  'node:worker_threads': ['src/document/worker-host.ts', 'src/document/worker-thread.ts'],
  'node:http': [
    ...['src/http/', 'src/transport/', 'src/access/request.ts', 'type src/access/', 'type src/server.ts'],
    'outlets/webhook.ts',
    ...['type src/options.ts', 'type src/chaos/']
  ],
  'node:https': ['src/access/request.ts', 'src/http/pipelines.ts', 'outlets/webhook.ts'],
  'node:net': [
    'src/http/listener.ts',
    'type src/http/pipelines.ts',
    'type src/http/request-budget.ts',
    'src/transport/',
    'src/chaos/pipe.ts',
    'bus/nats.ts',
    'outlets/public-addresses.ts'
  ],
  'node:fs': [
    ...['src/command/', 'src/http/control.ts', 'src/http/pages.ts', 'src/http/description.ts'],
    ...['persistence/directory.ts', 'src/document/worker-thread.ts', 'src/chaos/']
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
      'test/interop/trace.test.ts',
      // What React calls it (useSyncExternalStore).
      ...['provider', 'status'].map(name => `client/${name}.ts`)
    ]
  }
]

const sizes = { fileLinesMax: 400, functionLinesMax: 70, functionLinesP90: 30 }

const files = repositoryFiles()
const code = sourcesIn(files, ['src/', 'persistence/', 'bus/', 'outlets/', 'client/'])
const everything = sourcesIn(files, ['src/', 'persistence/', 'bus/', 'outlets/', 'client/', 'test/', 'demo/'])
const imports = code.flatMap(importsOf)

type Manifest = {
  readonly dependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
  readonly peerDependencies: Record<string, string>
  readonly peerDependenciesMeta: Record<string, { readonly optional?: boolean }>
}

/** Whether the package is loaded where the code asks for it, and not with the file. */
function isLoadedLater(place: string): boolean {
  const [path = '', line = '0'] = place.split(':')
  return readText(path).split('\n')[Number(line) - 1]?.includes('import(') ?? false
}

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
  const { dependencies, peerDependencies } = JSON.parse(readText('package.json')) as Manifest
  // Types for those who compile, and nothing that runs.
  const peers = Object.keys(peerDependencies).filter(name => name !== '@types/node')

  expect(dependencyFindings(imports, [...Object.keys(dependencies), ...peers])).toEqual([])
})

it('every peer is optional, is loaded when it is asked for, and is installed for the tests', () => {
  const { peerDependencies, peerDependenciesMeta, devDependencies } = JSON.parse(
    readText('package.json')
  ) as Manifest
  const peers = Object.keys(peerDependencies)
  const runs = peers.filter(name => name !== '@types/node')
  const isLoaded = (name: string) => code.some(({ text }) => text.includes(`import('${name}')`))

  expect(peers.filter(name => peerDependenciesMeta[name]?.optional !== true)).toEqual([])
  expect(peers.filter(name => !Object.hasOwn(devDependencies, name))).toEqual([])
  expect(runs.filter(name => !isLoaded(name))).toEqual([])
  const withFile = imports.filter(({ to, isTypeOnly, place }) => {
    return runs.includes(to) && !isTypeOnly && !isLoadedLater(place)
  })
  expect(withFile).toEqual([])
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
