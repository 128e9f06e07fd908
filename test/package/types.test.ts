/** The types of the packed package, compiled by the real compiler in each way an application may resolve them. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { installInto, packedBuild } from '../support/package.ts'

// As the compiler names files, also where the temporary directory is a link.
const directory = realpathSync(mkdtempSync(join(tmpdir(), 'chorus-types-')))

beforeAll(async () => {
  const packed = await packedBuild()
  installInto(directory, packed.tarball, ['@types/node'])
  for (const ending of ['ts', 'mts', 'cts'])
    writeFileSync(join(directory, `application.${ending}`), application)
  writeFileSync(join(directory, 'old.cts'), old)
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

const application = `
import type { Server as HttpServer } from 'node:http'
import { type Authorize, createLog, createServer, Fault, jwt, Refusal, type Server, type ServerOptions } from 'y-chorus'
import { openLevelStore, type Store, StoreError } from 'y-chorus/persistence'
import { storeConformanceCases } from 'y-chorus/persistence/conformance'
import { type Bus, openBus, sealBus, startPulse } from 'y-chorus/bus'
import { type BusPlace, busConformanceCases } from 'y-chorus/bus/conformance'
import { ChorusProvider, ChorusSocket, type Status } from 'y-chorus/client'

const authorize: Authorize = async attempt => {
  if (attempt.token === null) throw new Refusal('no token', { retry: 'later' })
  return { user: { id: attempt.token }, access: 'write' }
}

export async function start(httpServer: HttpServer, isOwn: boolean): Promise<Server> {
  const store: Store = await openLevelStore('data')
  const options: ServerOptions = { store, authorize: isOwn ? authorize : jwt({ secret: 'x' }), log: createLog('warn', process.stderr) }
  const server = createServer(options)
  await server.attach(httpServer)
  await server.change('a', (doc, Y) => {
    doc.getMap('map').set('inner', new Y.Map([['a', storeConformanceCases.length]]))
    const length: number = doc.getText('text').length
    // @ts-expect-error: it is a number
    const text: string = length
    void text
  })
  // @ts-expect-error: there is no such option
  createServer({ port: '1' })
  return server
}

export async function speak(key: Uint8Array): Promise<BusPlace> {
  const bus: Bus = await openBus('redis://127.0.0.1', { name: 'a' })
  const sealed = sealBus({ bus, clusterId: 'c', nodeId: 'n', key })
  startPulse({ bus: sealed, onState: state => void (state === 'well') })
  // @ts-expect-error: bytes, no text
  sealed.publish('t', 'text')
  await busConformanceCases[0]?.run({ connect: options => openBus(':memory:', options) })
  return { connect: async () => bus }
}

export async function watch(url: string, doc: ConstructorParameters<typeof ChorusProvider>[2]): Promise<Status> {
  const provider = new ChorusProvider(new ChorusSocket(url), 'a', doc, { token: async () => 'x' })
  provider.on('sync', isSynced => void (isSynced satisfies boolean))
  await provider.saved()
  // @ts-expect-error: there is no such option
  new ChorusProvider(url, 'a', doc, { tokens: 'x' })
  return provider.getSnapshot()
}

export function codeOf(error: unknown): string {
  if (error instanceof StoreError || error instanceof Fault) return error.code
  return 'none'
}
`

const old = `
import chorus = require('y-chorus')
import persistence = require('y-chorus/persistence')
import bus = require('y-chorus/bus')
export const broker = bus.createMemoryBroker()
export const server: chorus.Server = chorus.createServer({ store: persistence.createMemoryStore() })
`

const ways = [
  { resolution: 'node10', module: 'commonjs', files: ['application.ts'], ignoreDeprecations: '6.0' },
  { resolution: 'node16', module: 'node16', files: ['application.mts', 'application.cts', 'old.cts'] },
  { resolution: 'nodenext', module: 'nodenext', files: ['application.mts', 'application.cts', 'old.cts'] },
  { resolution: 'bundler', module: 'preserve', files: ['application.ts', 'old.cts'] }
]

test.each(ways)(
  '$resolution',
  ({ resolution, module, files, ...others }) => {
    const { options, errors } = ts.convertCompilerOptionsFromJson(
      { moduleResolution: resolution, module, ...others, ...strict },
      directory
    )
    const paths = files.map(file => join(directory, file))
    const program = ts.createProgram(paths, options)

    const checked = [
      ...program.getOptionsDiagnostics(),
      ...program.getGlobalDiagnostics(),
      ...program
        .getSourceFiles()
        .flatMap(file => (isChecked(file, resolution) ? diagnosticsOf(program, file) : []))
    ]
    const found = [...errors, ...checked].map(textOf)

    expect(
      program.getSourceFiles().filter(({ fileName }) => fileName.includes('/y-chorus/dist/types/')).length
    ).toBeGreaterThan(2)
    expect(found).toEqual([])
  },
  240_000
)

/** Ours and the application's in each way; in one of them all, as most of the time goes to the types of Node and yjs. */
function isChecked({ fileName }: ts.SourceFile, resolution: string): boolean {
  return resolution === 'nodenext' || fileName.startsWith(directory)
}

function diagnosticsOf(program: ts.Program, file: ts.SourceFile): readonly ts.Diagnostic[] {
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
}

const strict = {
  // With its usual libraries: the types of yjs name what browsers have.
  target: 'es2022',
  // No types are taken in by themselves: ours must say what they need.
  types: [],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  // Those of the compiler itself, half a minute of them, are its own matter.
  skipDefaultLibCheck: true,
  noEmit: true
}

function textOf({ file, start, messageText }: ts.Diagnostic): string {
  const text = ts.flattenDiagnosticMessageText(messageText, '\n')
  if (file === undefined || start === undefined) return text
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(start).line + 1}: ${text}`
}
