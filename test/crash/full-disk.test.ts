/** A disk that is full for a while: the server says so, nobody loses what was acknowledged, and it goes on. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { barrier, type Client, connect, synced, until } from '../support/clients.ts'
import { mountSmall } from '../support/command.ts'
import { spawnServer, temporaryDirectory } from '../support/server.ts'

const kilobyte = 1024

test('[RM2] fill, fail, free, go on writing, SIGKILL, reopen: no acknowledged edit is lost', async context => {
  const disk = temporaryDirectory()
  if (!mountSmall(disk, 'size=24m')) return context.skip()
  const data = join(disk, 'data')
  const server = await spawnServer(['--port', '0', '--data', data, '--log-level', 'silent'])
  const codes: number[] = []
  const client = openClient(server.url)
  client.provider.on('connection-close', event => codes.push(event?.code ?? 0))
  const watcher = openClient(server.url)
  await Promise.all([synced(client), synced(watcher)])
  const text = client.doc.getText('t')
  const type = (what: string, bytes: number) => text.insert(text.length, `<${what}${'.'.repeat(bytes)}>`)
  type('before', 1_000)
  await barrier(client)

  fill(disk)
  for (let i = 0; codes.length === 0 && i < 500; i++) {
    type(`full ${i}`, 16 * kilobyte)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  const seenWhileFull = watcher.doc.getText('t').length
  const ready = await readiness(server.url)
  const health = (await fetch(`${server.url}/healthz`)).status
  rmSync(join(disk, 'filler'))
  await until(
    () => client.provider.synced && watcher.doc.getText('t').length === text.length,
    'recovery',
    30_000
  )
  const readyAgain = await readiness(server.url)
  for (let i = 0; i < 50; i++) type(`after ${i}`, 100)
  await barrier(client)
  const acknowledged = text.toString()
  const exitCode = server.process.exitCode
  await server.kill()
  client.destroy()
  watcher.destroy()
  const reopened = await spawnServer(['--port', '0', '--data', data])
  const fresh = openClient(reopened.url)
  await synced(fresh)

  expect(codes[0]).toBe(1013)
  expect(ready).toBe(503)
  expect(health).toBe(200)
  expect(readyAgain).toBe(200)
  expect(exitCode).toBeNull()
  expect(seenWhileFull).toBeLessThanOrEqual(acknowledged.length)
  expect(fresh.doc.getText('t').toString() === acknowledged).toBe(true)
})

test('[RM2] fill and free over and over: what was acknowledged in between is there after SIGKILL', async context => {
  const disk = temporaryDirectory()
  if (!mountSmall(disk, 'size=32m')) return context.skip()
  const data = join(disk, 'data')
  let acknowledged = ''
  for (let round = 0; round < 3; round++) {
    const server = await spawnServer(['--port', '0', '--data', data, '--log-level', 'silent'])
    const client = openClient(server.url)
    await synced(client)
    const text = client.doc.getText('t')
    expect(text.toString().startsWith(acknowledged), `round ${round}`).toBe(true)
    fill(disk)
    let hasFailed = false
    client.provider.on('connection-close', () => {
      hasFailed = true
    })
    for (let i = 0; !hasFailed && i < 500; i++) {
      text.insert(text.length, `<${round}.${i}${'.'.repeat(8 * kilobyte)}>`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    expect(hasFailed).toBe(true)
    rmSync(join(disk, 'filler'))
    await until(() => client.provider.wsconnected && client.provider.synced, 'recovery')
    for (let i = 0; i < 20; i++) {
      text.insert(text.length, `<${round} after ${i}>`)
      await barrier(client)
      acknowledged = text.toString()
    }
    await server.kill()
    client.destroy()
  }
  const reopened = await spawnServer(['--port', '0', '--data', data])
  const fresh = openClient(reopened.url)
  await synced(fresh)

  expect(fresh.doc.getText('t').toString() === acknowledged).toBe(true)
})

function openClient(url: string): Client {
  const client = connect(url, 'room')
  onTestFinished(client.destroy)
  return client
}

/** Writes a file until nothing more goes in. */
function fill(disk: string): void {
  for (const size of [1024 * kilobyte, 64 * kilobyte, 4 * kilobyte, 1]) {
    for (;;) {
      try {
        writeFileSync(join(disk, 'filler'), Buffer.alloc(size), { flag: 'a' })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        break
      }
    }
  }
}

async function readiness(url: string): Promise<number> {
  return (await fetch(`${url}/readyz`)).status
}
