/** Rights that were taken away stay so over a restart; and where documents are kept when nobody says where. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { createLog, type Log } from '../../src/base/log.ts'
import { createServer } from '../../src/server.ts'
import { openRaw } from '../support/raw.ts'
import { quietLog, startServer, temporaryDirectory } from '../support/server.ts'
import { textUpdate } from '../support/text.ts'

const authorize = ({ token }: { token: string | null }) =>
  ({ user: { id: token ?? '' }, access: 'write' }) as const

async function codeOf(url: string): Promise<number | null> {
  const raw = await openRaw({ url, path: 'room?token=ada' })
  await Promise.race([raw.ask().catch(() => {}), raw.closed()])
  return raw.closeCode()
}

test('a revocation holds after a restart, and one that was taken back does not', async () => {
  const data = join(temporaryDirectory(), 'data')
  const first = await startServer({ data, authorize })
  await Promise.all([first.revoke({ user: 'ada' }), first.revoke({ user: 'bob' })])
  await first.stop()

  const second = await startServer({ data, authorize })
  expect(await codeOf(second.url)).toBe(4403)
  await second.revoke({ user: 'ada', access: 'write' })
  await second.stop()

  const third = await startServer({ data, authorize })
  expect(await codeOf(third.url)).toBeNull()
})

test('one whose time is over at the restart is not taken up', async () => {
  const store = createMemoryStore()
  const first = await startServer({ store, authorize })
  await first.revoke({ user: 'ada', seconds: 0.001 })
  await first.stop()

  const second = await startServer({ store, authorize })
  expect(await codeOf(second.url)).toBeNull()
})

test('one that cannot be stored is applied, and its caller is told', async () => {
  const store = createMemoryStore()
  const server = await startServer({ store, authorize })
  store.swapMetadata = () => Promise.reject(new Error('disk'))

  await expect(server.revoke({ user: 'ada' })).rejects.toMatchObject({ code: 'ERR_STORE' })
  expect(await codeOf(server.url)).toBe(4403)
})

test('what cannot be read lets nobody in: the server does not start', async () => {
  const store = createMemoryStore()
  await store.writeMetadata('revocations', Buffer.from('{"version":2}'))
  const server = createServer({ store, authorize, log: quietLog, pages: null })

  await expect(server.listen()).rejects.toMatchObject({ code: 'ERR_INTERNAL' })
})

test('without data, documents are kept in chorus-data where the process was started', async () => {
  const directory = temporaryDirectory()
  const before = process.cwd()
  process.chdir(directory)
  onTestFinished(() => process.chdir(before))
  const first = createServer({ log: quietLog, pages: null })
  await first.listen()
  await first.apply('room', textUpdate('kept'))
  await first.stop()

  expect(existsSync(join(directory, 'chorus-data', 'chorus.json'))).toBe(true)
})

test('load with documents in memory warns once', async () => {
  const warnings: string[] = []
  const log: Log = { ...createLog('silent'), warn: (_, message) => warnings.push(message) }
  const server = await startServer({ data: ':memory:', load: () => null, log })
  await server.apply('a', textUpdate('a'))
  await server.apply('b', textUpdate('b'))

  expect(warnings.filter(each => each.includes('in memory'))).toHaveLength(1)
})
