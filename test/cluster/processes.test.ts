/** Three servers as processes of the command, on one PostgreSQL, with Redis between them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../persistence/index.ts'
import { clusterIdentity } from '../../src/cluster/identity.ts'
import { barrier, type Client, connect, synced, until, untilAsync } from '../support/clients.ts'
import { runCommand } from '../support/command.ts'
import { provide, providerSynced } from '../support/hocuspocus.ts'
import { openRaw } from '../support/raw.ts'
import { type ServerProcess, spawnServer, temporaryDirectory } from '../support/server.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'
import { redisPath, startRedis } from '../support/services/redis.ts'
import type { Service } from '../support/services/service.ts'
import { secret, signed, writer } from '../support/tokens.ts'

describe.skipIf(postgresMissing !== null || redisPath === null)('three processes', () => {
  let postgres: Postgres
  let redis: Service
  let made = 0
  beforeAll(async () => {
    postgres = await startPostgres()
    redis = await startRedis()
  })
  afterAll(async () => {
    await redis?.stop()
    await postgres?.stop()
  })

  async function startNodes(...args: readonly string[]): Promise<ServerProcess[]> {
    const data = postgres.url(`processes_${++made}`)
    const start = (name: string) =>
      spawnServer(['--port', '0', '--data', data, '--bus', redis.url, '--node-name', name, ...args])
    return Promise.all(['one', 'two', 'three'].map(start))
  }

  function client(url: string, room: string): Client {
    const made = connect(url, room)
    onTestFinished(made.destroy)
    return made
  }

  const text = ({ doc }: Pick<Client, 'doc'>) => doc.getText('t').toString()

  async function readyz(url: string) {
    const response = await fetch(`${url}/readyz`)
    const answer = (await response.json()) as { readonly status: string }
    return { code: response.status, ...answer }
  }

  test('clients of both dialects converge; Redis that is killed makes nodes degraded, and ready when it is back', async () => {
    const nodes = await startNodes()
    const [one, two, three] = nodes.map(({ url }) => url) as [string, string, string]
    const ada = client(one, 'notes')
    const ben = client(two, 'notes')
    const cleo = provide(three, 'notes')
    await Promise.all([synced(ada), synced(ben), providerSynced(cleo)])
    const all = [ada, ben, cleo]
    const areAll = (status: string) => async () =>
      (await Promise.all(nodes.map(({ url }) => readyz(url)))).every(each => each.status === status)
    await untilAsync(areAll('ready'), 'all nodes ready')
    expect(await readyz(two)).toEqual({
      code: 200,
      status: 'ready',
      node: 'two',
      bus: 'well',
      lastAppend: 'ok',
      uncompacted: 0
    })

    all.forEach(({ doc }, i) => void doc.getText('t').insert(0, String(i)))
    await until(() => all.every(each => text(each).length === 3), 'three letters everywhere')
    expect(new Set(all.map(text)).size).toBe(1)

    await redis.kill()
    await untilAsync(areAll('degraded'), 'all nodes degraded')
    expect(await readyz(one)).toMatchObject({ code: 200, bus: 'away' })
    ada.doc.getText('t').insert(0, 'away ')
    await until(() => all.every(each => text(each).startsWith('away ')), 'the edit everywhere, without a bus')

    await redis.restart()
    await untilAsync(areAll('ready'), 'all nodes ready again')
    ben.doc.getText('t').insert(0, 'back ')
    await until(() => all.every(each => text(each).startsWith('back ')), 'the edit everywhere')
    for (const node of nodes) expect(node.errors()).toMatch(/"node":"(one|two|three)"/)
  })

  const adminToken = 'an admin token of more than 32 characters'

  async function startSignedNodes() {
    const directory = temporaryDirectory()
    const [secretFile, adminFile] = [join(directory, 'secret'), join(directory, 'admin')]
    writeFileSync(secretFile, secret)
    writeFileSync(adminFile, adminToken)
    return startNodes('--auth', 'jwt', '--jwt-secret-file', secretFile, '--admin-token-file', adminFile)
  }

  test('a revocation that one node is asked for ends connections of the others, and stays', async () => {
    const nodes = await startSignedNodes()
    const [ada, ben] = await Promise.all([signed(writer('ada')), signed(writer('ben'))])
    const enter = async (node: ServerProcess, token: string) => {
      const raw = await openRaw({ url: node.url, path: `plans?token=${token}` })
      await raw.ask().catch(() => {})
      return raw
    }
    const [one, two, three] = nodes as [ServerProcess, ServerProcess, ServerProcess]
    const gone = await Promise.all([enter(two, ada), enter(three, ada)])
    const stays = await enter(three, ben)

    const answer = await fetch(`${one.url}/api/revoke`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}` },
      body: '{"user":"ada"}'
    })

    expect(answer.status).toBe(200)
    expect(await Promise.all(gone.map(raw => raw.closed()))).toEqual([4403, 4403])
    expect(await (await enter(two, ada)).closed()).toBe(4403)
    expect(stays.closeCode()).toBeNull()
  })

  test('metrics name the node, and count the bus and what came over it', async () => {
    const nodes = await startNodes()
    const [one, two] = nodes as [ServerProcess, ServerProcess]
    const ada = client(one.url, 'counted')
    const ben = client(two.url, 'counted')
    await Promise.all([synced(ada), synced(ben)])
    ada.doc.getText('t').insert(0, 'x')
    await until(() => text(ben) === 'x', 'the edit')

    const metrics = async () => (await fetch(`${two.url}/metrics`)).text()
    await untilAsync(async () => (await metrics()).includes('\nchorus_bus_up 1\n'), 'the bus to be well')
    const shown = await metrics()
    expect(shown).toContain('\nchorus_node_info{node="two"} 1\n')
    expect(shown).toContain('\nchorus_others_records_shown_total 1\n')
    expect(shown).toMatch(/\nchorus_bus_messages_total\{fate="published"\} [1-9]/)
    for (const fate of ['received', 'forged', 'foreign', 'replayed', 'droppedFull', 'droppedAway']) {
      expect(shown).toMatch(new RegExp(`\\nchorus_bus_messages_total\\{fate="${fate}"\\} \\d`))
    }
    await untilAsync(
      async () => /\nchorus_heads_polls_total\{outcome="done"\} [1-9]/.test(await metrics()),
      'a look at the heads'
    )
  })

  test('metrics count people of this node and of others, and what was taken for gone when a node died', async () => {
    const [one, two] = (await startNodes()) as [ServerProcess, ServerProcess]
    const here = [client(two.url, 'people'), client(two.url, 'other people')]
    const away = client(one.url, 'people')
    for (const { provider } of [...here, away]) provider.awareness.setLocalState({ name: 'somebody' })
    await Promise.all([...here, away].map(synced))
    const isShown = (own: number, others: number, expired: number) => async () => {
      const shown = await (await fetch(`${two.url}/metrics`)).text()
      return [`own_states ${own}`, `others_states ${others}`, `expired_total ${expired}`].every(each =>
        shown.includes(`\nchorus_presence_${each}\n`)
      )
    }
    await untilAsync(isShown(2, 1, 0), 'two people here, one elsewhere')

    away.destroy()
    await untilAsync(isShown(2, 0, 0), 'nobody elsewhere')
    const back = client(one.url, 'people')
    await synced(back)
    await untilAsync(isShown(2, 1, 0), 'somebody elsewhere again')
    back.provider.shouldConnect = false
    await one.kill()

    await untilAsync(isShown(2, 0, 1), 'one room that was taken for gone')
  })

  test('a node stops although the broker stands still, and the others go on', async () => {
    const nodes = await startNodes()
    const [one, two] = nodes as [ServerProcess, ServerProcess]
    const ada = client(one.url, 'still')
    const ben = client(two.url, 'still')
    await Promise.all([synced(ada), synced(ben)])
    redis.signal('SIGSTOP')
    onTestFinished(() => redis.signal('SIGCONT'))
    ada.doc.getText('t').insert(0, 'before ')
    await barrier(ada)

    expect(await one.terminate()).toBe(0)

    await until(() => text(ben) === 'before ', 'what the stopped node had acknowledged')
  })

  test('nodes are not ready while PostgreSQL is away, and ready when it is back', async () => {
    const nodes = await startNodes()
    const isEach = (code: number, status: string) => async () => {
      const all = await Promise.all(nodes.map(({ url }) => readyz(url)))
      return all.every(each => each.code === code && each.status === status)
    }
    await untilAsync(isEach(200, 'ready'), 'all nodes ready')

    await postgres.kill()
    await untilAsync(isEach(503, 'store'), 'no node ready')
    await postgres.start()

    await untilAsync(isEach(200, 'ready'), 'all nodes ready again')
    const ada = client(nodes[0]?.url ?? '', 'later')
    const ben = client(nodes[1]?.url ?? '', 'later')
    await Promise.all([synced(ada), synced(ben)])
    ada.doc.getText('t').insert(0, 'x')
    await until(() => text(ben) === 'x', 'the edit')
  })

  test('cluster new-id makes of a copy a cluster of its own, and never shows the key', async () => {
    const data = postgres.url('renewed')
    const store = await openStore(data)
    const before = await clusterIdentity(store)

    const ended = await runCommand('cluster', 'new-id', '--data', data)

    const after = await clusterIdentity(store)
    await store.close()
    expect(ended).toMatchObject({ code: 0, errors: '' })
    expect(ended.output).toContain(after.id)
    expect(after.id).not.toBe(before.id)
    expect(ended.output).not.toContain(Buffer.from(after.key).toString('base64'))
  })
})

describe('a bus where only one server can be', () => {
  test.each([':memory:', './somewhere', 'file:///somewhere'])('--data %s is refused', async data => {
    const ended = await runCommand('--port', '0', '--data', data, '--bus', 'redis://ada:hunter2@localhost')

    expect(ended.code).toBe(2)
    expect(ended.errors).toMatch(/^y-chorus: --bus is for several servers .*--data/)
    expect(ended.errors).not.toContain('hunter2')
    expect(ended.errors.trim().split('\n')).toHaveLength(1)
  })

  test.each([
    'cluster new-id --data :memory:',
    'cluster new-id --data ./somewhere',
    'cluster old-id',
    'cluster',
    '--node-name two\tnames'
  ])('%j is a mistake of usage', async line => {
    const ended = await runCommand(...line.split(' '))

    expect(ended.code).toBe(2)
    expect(ended.errors.trim().split('\n')).toHaveLength(1)
  })
})
