/** What the command does where there is little to go by: no store where it looks, and nobody who asked for the demo. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openLevelStore } from '../../persistence/index.ts'
import { createServer, type ServerOptions } from '../../src/index.ts'
import { runCommand } from '../support/command.ts'
import { quietLog, spawnServer, temporaryDirectory } from '../support/server.ts'

test.each([
  ['backup', 'copy'],
  ['set-aside', 'list']
])('%s with a mistyped --data fails by name and creates nothing', async (...words) => {
  const parent = temporaryDirectory()
  const data = join(parent, 'mistyped')
  const operands = words.map(word => (word === 'copy' ? join(parent, word) : word))

  const { code, errors } = await runCommand(...operands, '--data', data)

  expect(errors).toContain(`There is no y-chorus store in ${data}; nothing was created.`)
  expect(code).toBe(1)
  expect(existsSync(data)).toBe(false)
  expect(existsSync(join(parent, 'copy'))).toBe(false)
})

test('the demo is served where nobody has to sign in, and elsewhere when it is asked for', async () => {
  const authorize = () => ({ user: null, access: 'write' }) as const
  const startPage = async (options: ServerOptions) => {
    const server = createServer({ ...options, data: ':memory:', log: quietLog })
    onTestFinished(() => server.stop())
    return (await fetch(await server.listen())).status
  }

  expect(await startPage({})).toBe(200)
  expect(await startPage({ authorize })).toBe(404)
  expect(await startPage({ authorize, pages: 'demo/dist' })).toBe(200)
  expect(await startPage({ pages: null })).toBe(404)
})

test.each([
  [['--demo', 'off'], 404],
  [['--auth', 'jwt'], 404],
  [['--auth', 'jwt', '--demo', 'on'], 200],
  [['--auth', 'none'], 200]
])('the command with %j answers / with %i', async (args, status) => {
  const secretFile = join(temporaryDirectory(), 'secret')
  writeFileSync(secretFile, 'x'.repeat(32))
  const key = args.includes('jwt') ? ['--jwt-secret-file', secretFile] : []
  const server = await spawnServer(['--port', '0', '--data', ':memory:', ...args, ...key])

  expect((await fetch(server.url)).status).toBe(status)
})

test('set-aside of a server in memory says that there is no store to look into', async () => {
  const { code, errors } = await runCommand('set-aside', 'list', '--data', ':memory:')

  expect(errors).toContain('and nowhere else')
  expect(code).toBe(1)
})

test('a store that has to be there is not made', async () => {
  const directory = join(temporaryDirectory(), 'none')

  await expect(openLevelStore(directory, { create: false })).rejects.toMatchObject({ code: 'STORE_MISSING' })
  expect(existsSync(directory)).toBe(false)
  await (await openLevelStore(directory)).close()
  await (await openLevelStore(directory, { create: false })).close()
})
