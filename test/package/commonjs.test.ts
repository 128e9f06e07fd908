/** The packed package, installed in an application's directory: `require` and `import`, on each Node it allows. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { type Application, install, type Packed, packedBuild } from '../support/package.ts'
import { type ProgramName, program } from '../support/programs.ts'
import { temporaryDirectory } from '../support/server.ts'

let packed: Packed

beforeAll(async () => {
  packed = await packedBuild()
})

test.each(['required.cjs', 'imported.mjs', 'both.mjs'])('%s runs on the Node at hand', async name => {
  const { run } = application()

  const printed = await run([process.execPath, name, temporaryDirectory()])

  // Yjs complains when it is loaded twice.
  expect(printed).toBe('all is well\n')
})

// The Node at hand is the oldest; newer ones load modules by `require` too, and must not take the wrong ones.
test.for(['node22', 'node24'] satisfies ProgramName[])(
  'required.cjs runs on %s',
  async (version, context) => {
    const node = await program(version)
    if (node === null) return context.skip()
    const { run } = application()

    const printed = await run([node, 'required.cjs', temporaryDirectory()])

    expect(printed).toBe('all is well\n')
  }
)

function application(): Application {
  const installed = install(packed, ['y-websocket', 'yjs', 'ws'])
  cpSync(join(import.meta.dirname, 'application'), installed.directory, { recursive: true })
  return installed
}
