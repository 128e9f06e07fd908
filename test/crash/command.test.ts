/** The command at its edges: backups while it runs and when it does not, and directories it must not take. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { describe, expect, onTestFinished, test } from 'vitest'
import { barrier, type Client, connect, synced } from '../support/clients.ts'
import { fingerprint, mountSmall, runCommand } from '../support/command.ts'
import { openRaw } from '../support/raw.ts'
import { spawnServer, temporaryDirectory } from '../support/server.ts'

describe('y-chorus backup', () => {
  test('while the server runs and people type: the copy serves everything acknowledged before it', async () => {
    const data = temporaryDirectory()
    const copy = join(temporaryDirectory(), 'copy')
    const server = await spawnServer(['--port', '0', '--data', data])
    const rooms = await Promise.all([0, 1, 2].map(i => open(server.url, `room ${i}`)))
    for (const { doc } of rooms) doc.getText('t').insert(0, 'acknowledged ')
    await Promise.all(rooms.map(barrier))
    let isTyping = true
    const typing = (async () => {
      while (isTyping) {
        for (const { doc } of rooms) doc.getText('t').insert(13, 'x')
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    })()

    const ended = await runCommand('backup', copy, '--data', data)
    isTyping = false
    await typing
    await Promise.all(rooms.map(barrier))

    expect(ended).toMatchObject({ code: 0, errors: '' })
    expect(ended.output).toMatch(/^copied \d+ entries, \d+ bytes, from .* to .*\n$/)
    for (const text of await textsOf(copy, 3)) expect(text).toMatch(/^acknowledged x*$/)
    expect(rooms.every(({ provider }) => provider.wsconnected)).toBe(true)
  })

  test('when no server runs, and when one was killed and left its control file', async () => {
    const data = temporaryDirectory()
    const server = await spawnServer(['--port', '0', '--data', data])
    const client = await open(server.url, 'room 0')
    client.doc.getText('t').insert(0, 'kept')
    await barrier(client)
    client.destroy()
    await server.kill()
    const target = temporaryDirectory()

    const afterKill = await runCommand('backup', join(target, 'one'), '--data', data)
    const again = await runCommand('backup', join(target, 'two'), '--data', data)
    const onto = await runCommand('backup', join(target, 'one'), '--data', data)

    expect([afterKill.code, again.code, onto.code]).toEqual([0, 0, 1])
    expect(onto.errors).toMatch(/^y-chorus: .*\n$/)
    expect(await textsOf(join(target, 'one'), 1)).toEqual(['kept'])
    expect(await textsOf(join(target, 'two'), 1)).toEqual(['kept'])
  })
})

describe('a start that must not be', () => {
  test('on a directory that another server holds', async () => {
    const data = temporaryDirectory()
    const first = await spawnServer(['--port', '0', '--data', data])

    const second = await runCommand('--port', '0', '--data', data)

    expect(second.code).toBe(1)
    expect(second.errors).toMatch(/^y-chorus: .*(another|in use|lock)/i)
    expect(second.errors.trim().split('\n')).toHaveLength(1)
    const client = await open(first.url, 'room')
    await barrier(client)
  })

  test.each([
    ['y-leveldb', 'v1'],
    ['something else', 'anything']
  ])('on a LevelDB of %s: nothing is written to it', async (_, key) => {
    const data = temporaryDirectory()
    const level = new Level<string, Uint8Array>(data, { valueEncoding: 'view' })
    await level.put(key, Uint8Array.of(1, 2, 3))
    await level.close()
    const before = fingerprint(data)

    const ended = await runCommand('--port', '0', '--data', data)

    expect(ended.code).toBe(1)
    expect(ended.errors).toMatch(/LevelDB.*nothing was written/)
    expect(ended.errors.trim().split('\n')).toHaveLength(1)
    expect(fingerprint(data)).toBe(before)
  })

  test('on a directory of other files: nothing is written to it', async () => {
    const data = temporaryDirectory()
    writeFileSync(join(data, 'notes.txt'), 'mine')

    const ended = await runCommand('--port', '0', '--data', data)

    expect(ended.code).toBe(1)
    expect(ended.errors).toMatch(/nothing was written/)
    expect(readdirSync(data)).toEqual(['notes.txt'])
  })

  test('where no directory can be', async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'file'), '')

    const ended = await runCommand('--port', '0', '--data', join(directory, 'file', 'data'))

    expect(ended.code).toBe(1)
    expect(ended.errors).toMatch(/^y-chorus: The directory .* cannot be created or written/)
    expect(ended.errors.trim().split('\n')).toHaveLength(1)
  })

  test('on a file system that is read-only', async context => {
    const directory = temporaryDirectory()
    if (!mountSmall(directory, 'size=1m,ro')) return context.skip()

    const missing = await runCommand('--port', '0', '--data', join(directory, 'data'))
    const existing = await runCommand('--port', '0', '--data', directory)

    for (const ended of [missing, existing]) {
      expect(ended.code).toBe(1)
      expect(ended.errors).toMatch(/^y-chorus: .*(read-only|cannot be)/)
      expect(ended.errors.trim().split('\n')).toHaveLength(1)
    }
  })

  test('on a port that is taken: the directory is released, and nobody else is harmed', async () => {
    const first = await spawnServer(['--port', '0', '--data', ':memory:'])
    const data = join(temporaryDirectory(), 'data')
    mkdirSync(data)
    const { port } = new URL(first.url)

    const ended = await runCommand('--port', port, '--data', data)
    const later = await spawnServer(['--port', '0', '--data', data])

    expect(ended.code).toBe(1)
    expect(ended.errors).toMatch(/taken/)
    await open(later.url, 'room')
  })
})

test.each(['stdout', 'stderr'] as const)(
  'when nobody reads its %s any more, it stays and drains',
  async output => {
    const server = await spawnServer(['--port', '0', '--data', ':memory:', '--log-level', 'debug'])
    const left = await openRaw({ url: server.url, path: 'room' })
    server.process[output]?.destroy()

    // Something to log.
    const bad = await openRaw({ url: server.url, path: 'room' })
    bad.send(Uint8Array.of(0, 9))
    expect(await bad.closed()).toBe(4400)
    const code = await server.terminate()

    expect(code).toBe(0)
    expect(await left.closed()).toBe(1012)
  }
)

async function open(url: string, room: string): Promise<Client> {
  const client = connect(url, room)
  onTestFinished(client.destroy)
  await synced(client)
  return client
}

/** The texts of `room 0`… as a server on this directory gives them. */
async function textsOf(data: string, rooms: number): Promise<string[]> {
  const server = await spawnServer(['--port', '0', '--data', data])
  const clients = await Promise.all(Array.from({ length: rooms }, (_, i) => open(server.url, `room ${i}`)))
  return clients.map(({ doc }) => doc.getText('t').toString())
}
