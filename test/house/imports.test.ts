/** Violations planted on purpose: a check that cannot fail holds nothing. */
import { expect, it } from 'vitest'
import { cycleFindings, dependencyFindings, homeFindings, importsOf, layerFindings } from './imports.ts'
import { parse } from './source.ts'

const importsIn = (path: string, text: string) => importsOf(parse(path, text))

it('reads every form of import with its place, and whether it is of types only', () => {
  const text = [
    "import { a } from '../errors.ts'",
    "import type { B } from './b.ts'",
    "import { type C, type D } from './c.ts'",
    "import e, { type F } from 'lib0/encoding'",
    "export { type G } from '@scope/name/part'",
    "export * from './h.ts'",
    "const i = await import('node:fs/promises')",
    "type J = import('./j.ts').J"
  ].join('\n')

  const found = importsIn('src/room/room.ts', text).map(each => [each.to, each.isTypeOnly, each.place])

  expect(found).toEqual([
    ['src/errors.ts', false, 'src/room/room.ts:1'],
    ['src/room/b.ts', true, 'src/room/room.ts:2'],
    ['src/room/c.ts', true, 'src/room/room.ts:3'],
    ['lib0', false, 'src/room/room.ts:4'],
    ['@scope/name', true, 'src/room/room.ts:5'],
    ['src/room/h.ts', false, 'src/room/room.ts:6'],
    ['node:fs', false, 'src/room/room.ts:7'],
    ['src/room/j.ts', true, 'src/room/room.ts:8']
  ])
})

it('finds an import against the direction, and a file in no layer', () => {
  const layers = { 'src/room/': ['src/errors.ts', 'type src/log.ts'], 'src/errors.ts': [] }
  const imports = [
    ...importsIn(
      'src/room/room.ts',
      "import './member.ts'\nimport '../errors.ts'\nimport type {} from '../log.ts'"
    ),
    ...importsIn('src/room/rooms.ts', "import { log } from '../log.ts'"),
    ...importsIn('src/errors.ts', "import type { Room } from './room/room.ts'"),
    ...importsIn('src/new.ts', "import './errors.ts'")
  ]

  expect(layerFindings(imports, layers)).toEqual([
    'src/room/rooms.ts:1: src/room/ may import only types of src/log.ts; allowed: src/errors.ts, type src/log.ts',
    'src/errors.ts:1: src/errors.ts may not import src/room/room.ts; allowed: nothing',
    'src/new.ts:1: src/new.ts is in no layer; give it a line in the table'
  ])
})

it('the line of a file goes before the line of its folder', () => {
  const layers = { 'src/http/': ['src/errors.ts'], 'src/http/pages.ts': [] }

  expect(layerFindings(importsIn('src/http/pages.ts', "import '../errors.ts'"), layers)).toHaveLength(1)
})

it('finds a package away from home, and one that has none', () => {
  const homes = { ws: ['src/transport/', 'type src/server.ts'], 'node:net': ['src/server.ts'] }
  const imports = [
    ...importsIn('src/transport/upgrade.ts', "import { WebSocketServer } from 'ws'"),
    ...importsIn(
      'src/server.ts',
      "import type { WebSocket } from 'ws'\nimport 'node:net'\nimport 'node:path'"
    ),
    ...importsIn(
      'src/room/room.ts',
      "import type { WebSocket } from 'ws'\nimport 'node:net'\nimport 'lodash/get'"
    )
  ]

  expect(homeFindings(imports, homes)).toEqual([
    'src/room/room.ts:1: ws is imported only in src/transport/, type src/server.ts',
    'src/room/room.ts:2: node:net is imported only in src/server.ts',
    'src/room/room.ts:3: lodash has no home; give it a line in the table'
  ])
})

it('finds a dependency that nothing imports, and an import that is no dependency', () => {
  const imports = importsIn('src/a.ts', "import 'ws'\nimport 'node:fs'\nimport './b.ts'")

  expect(dependencyFindings(imports, ['level'])).toEqual([
    'package.json: nothing imports level; remove it, or move it to devDependencies',
    'package.json: ws is imported; add it to dependencies'
  ])
})

it('finds a cycle, also one closed by a type', () => {
  const imports = [
    ...importsIn('src/a.ts', "import './b.ts'\nimport './c.ts'"),
    ...importsIn('src/b.ts', "import './c.ts'"),
    ...importsIn('src/c.ts', "import type { B } from './b.ts'")
  ]

  expect(cycleFindings(imports)).toEqual([
    'src/b.ts: import cycle src/b.ts → src/c.ts → src/b.ts; move what both need into one'
  ])
})
