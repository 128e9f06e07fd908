/** Three servers as processes of the command, on one PostgreSQL, with Redis between them. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Client, connect, synced, until, untilAsync } from '../support/clients.ts'
import { provide, providerSynced } from '../support/hocuspocus.ts'
import { type ServerProcess, spawnServer } from '../support/server.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'
import { redisPath, startRedis } from '../support/services/redis.ts'
import type { Service } from '../support/services/service.ts'

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
})
