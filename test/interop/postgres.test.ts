/** One server on PostgreSQL, from the command on: real clients of both dialects, a restart, a crash, and what is logged. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { barrier, connect, synced, until } from '../support/clients.ts'
import { provide, providerSynced, saved } from '../support/hocuspocus.ts'
import { spawnServer, temporaryDirectory } from '../support/server.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'

describe.skipIf(postgresMissing !== null)('y-chorus --data postgres://…', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())

  const data = () => postgres.url('served').replace('chorus@', 'chorus:opensesame@')
  const serve = () => spawnServer(['--port', '0', '--log-level', 'debug'], { env: { CHORUS_DATA: data() } })

  test('what clients of both dialects wrote is there after a restart and a crash', async () => {
    let server = await serve()
    const left = connect(server.url, 'notes')
    onTestFinished(left.destroy)
    const right = provide(server.url, 'notes')
    await Promise.all([synced(left), providerSynced(right)])
    left.doc.getText('t').insert(0, 'left ')
    await barrier(left)
    right.doc.getText('t').insert(0, 'right ')
    await saved(right)
    await until(() => left.doc.getText('t').length === 11, 'the text of both')
    const text = left.doc.getText('t').toString()
    left.destroy()
    right.destroy()
    expect(await server.terminate()).toBe(0)
    expect(server.errors()).not.toContain('opensesame')

    for (const end of ['kill', 'terminate'] as const) {
      server = await serve()
      const reader = connect(server.url, 'notes')
      await synced(reader)
      expect(reader.doc.getText('t').toString()).toContain(text)
      reader.doc.getText('t').insert(0, `${end} `)
      await barrier(reader)
      reader.destroy()
      await server[end]()
    }
    server = await serve()
    const reader = provide(server.url, 'notes')
    await providerSynced(reader)
    expect(reader.doc.getText('t').toString()).toBe(`terminate kill ${text}`)
  })

  test('a client types on while PostgreSQL dies and comes back', async () => {
    const server = await serve()
    const client = connect(server.url, 'through')
    onTestFinished(client.destroy)
    await synced(client)
    client.doc.getText('t').insert(0, 'a')
    await barrier(client)
    await postgres.kill()
    client.doc.getText('t').insert(1, 'b')
    const ready = await fetch(`${server.url}/readyz`)
    expect(ready.status).toBe(503)
    await postgres.start()
    await barrier(client)
    await until(() => server.errors().includes('database-back'), 'the log to say so')
    client.destroy()
    await server.kill()

    const again = connect((await serve()).url, 'through')
    onTestFinished(again.destroy)
    await synced(again)
    expect(again.doc.getText('t').toString()).toBe('ab')
  })

  test('a backup is left to the database', async () => {
    const { spawnSync } = await import('node:child_process')
    const cli = new URL('../../dist/src/command/cli.js', import.meta.url).pathname
    const args = [cli, 'backup', temporaryDirectory(), '--data', data()]
    await (await serve()).terminate()
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })

    expect(status).toBe(1)
    expect(stderr).toContain('pg_dump')
    expect(stderr).not.toContain('opensesame')
  })
})
