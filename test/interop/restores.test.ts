/**
 * Restores among people: real clients of every supported version of both dialects type while a document is brought back to
 * what it was, one of them offline. On one server, and on two nodes with PostgreSQL and Redis.
 * `ROUNDS=30` tries as many histories.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { Authorize } from '../../src/access/grant.ts'
import type { Server, ServerOptions } from '../../src/server.ts'
import { converged, until } from '../support/clients.ts'
import { seed } from '../support/seed.ts'
import { startServer } from '../support/server.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'
import { redisPath, startRedis } from '../support/services/redis.ts'
import type { Service } from '../support/services/service.ts'
import { randomFrom } from '../support/trace.ts'
import { openTypists, type Typist, wordsOf } from '../support/typists.ts'

const rounds = Number(process.env.ROUNDS ?? 2)
const options: ServerOptions = { history: [{ documents: '**' }] }

type World = { readonly servers: readonly Server[]; readonly urls: readonly string[] }

function typeAll(all: readonly Typist[], random: () => number, words: number): void {
  for (let i = 0; i < words; i++) {
    const who = all[Math.floor(random() * all.length)] as Typist
    if (random() < 0.2) who.remove(random)
    else who.type(random)
  }
}

/** Types on until it is told to stop, a little in each turn of the event loop. */
function keepOn(work: () => void): () => void {
  const timer = setInterval(work, 5)
  return () => clearInterval(timer)
}

function contentOf(doc: Y.Doc): { text: string[]; list: string[] } {
  return { text: wordsOf(doc.getText('text').toString()), list: doc.getArray<string>('list').toArray() }
}

async function at(server: Server, room: string, sequence: number) {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, await server.history(room).at({ sequence }))
  return contentOf(doc)
}

/** One history: what was at a moment comes back, and what is typed meanwhile, later and offline stays, each once. */
async function restoreAmong(world: World, room: string, random: () => number): Promise<void> {
  const { servers, urls } = world
  const server = servers[Math.floor(random() * servers.length)] as Server
  const all = await openTypists(urls, room)
  typeAll(all, random, 60)
  await converged(all)
  const wanted = contentOf((all[0] as Typist).doc)
  const version = await server.history(room).name('then')
  expect(await at(server, room, version.sequence)).toEqual(wanted)
  typeAll(all, random, 60)
  await converged(all)
  const away = all[Math.floor(random() * all.length)] as Typist
  const here = all.filter(each => each !== away)
  await away.goOffline()
  const typedBefore = away.typed.length
  for (let i = 0; i < 5; i++) away.type(random)
  const stop = keepOn(() => typeAll(here, random, 2))

  const answer = await server.history(room).restore({ version: version.id }, { author: 'ada' })

  const others = new Map(here.map(each => [each, each.typed.length]))
  await until(() => here.every(each => each.typed.length > (others.get(each) ?? 0) + 2), 'more typing')
  stop()
  await away.comeBack()
  await converged(all)
  const { text, list } = contentOf((all[0] as Typist).doc)
  expect(new Set(text).size, 'no word twice').toBe(text.length)
  for (const word of away.typed.slice(typedBefore)) expect(text, 'typed offline').toContain(word)
  expect(answer.isChanged).toBe(true)
  // What the restore has made of it, before anybody saw it: what was then, and what came while it was computed.
  const [before, after] = [
    await at(server, room, answer.sequence - 1),
    await at(server, room, answer.sequence)
  ]
  const meanwhile = new Set(all.flatMap(({ typed }) => typed))
  for (const kind of ['text', 'list'] as const) {
    const left = after[kind].filter(word => wanted[kind].includes(word))
    // In the order in which they were; one that somebody took out while it was computed may be missing.
    const there = new Set(after[kind])
    expect(left).toEqual(wanted[kind].filter(word => there.has(word)))
    for (const word of after[kind])
      expect(wanted[kind].includes(word) || before[kind].includes(word)).toBe(true)
    expect(new Set(after[kind]).size).toBe(after[kind].length)
  }
  for (const word of [...text, ...list]) expect(meanwhile).toContain(word)
  for (const other of servers) expect(await other.read(room)).toEqual(await server.read(room))
}

describe(`a restore while people type, one of them offline (SEED=${seed})`, () => {
  test('on one server: all end equal, and what they typed is kept', async () => {
    const server = await startServer(options)
    const world = { servers: [server], urls: [server.url as string] }
    for (let round = 0; round < rounds; round++) {
      await restoreAmong(world, `room ${round}`, randomFrom(seed + round))
    }
  })
})

const isMissing = postgresMissing !== null || redisPath === null

describe.skipIf(isMissing)(`the same on two nodes with PostgreSQL and Redis (SEED=${seed})`, () => {
  let postgres: Postgres
  let redis: Service
  beforeAll(async () => {
    ;[postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  })
  afterAll(async () => {
    await Promise.all([postgres.stop(), redis.stop()])
  })

  async function startNodes(): Promise<World> {
    const servers: Server[] = []
    for (let i = 0; i < 2; i++) {
      servers.push(await startServer({ ...options, data: postgres.url('restores'), bus: redis.url }))
    }
    return { servers, urls: servers.map(({ url }) => url as string) }
  }

  test('all end equal, and what they typed is kept', async () => {
    const world = await startNodes()
    for (let round = 0; round < rounds; round++) {
      await restoreAmong(world, `room ${round}`, randomFrom(seed + round))
    }
  })

  test('two restores at once on two nodes bring nothing twice', async () => {
    const world = await startNodes()
    for (let round = 0; round < rounds; round++) {
      const room = `both ${round}`
      const random = randomFrom(seed + round)
      const all = await openTypists(world.urls, room)
      typeAll(all, random, 40)
      await converged(all)
      const wanted = contentOf((all[0] as Typist).doc)
      const [one, other] = world.servers as [Server, Server]
      const then = await one.history(room).name('then')
      typeAll(all, random, 60)
      await converged(all)

      const answers = await Promise.all(
        [one, other].map(server => server.history(room).restore({ sequence: then.sequence }))
      )

      expect(answers.map(({ isChanged }) => isChanged).sort()).toEqual([false, true])
      await converged(all)
      expect(contentOf((all[0] as Typist).doc)).toEqual(wanted)
    }
  })
})

describe(`an undo of what one person did (SEED=${seed})`, () => {
  test('takes back what they did between two moments while they type on, and nothing else', async () => {
    const authorize: Authorize = async ({ token }) => ({ user: { id: token ?? 'nobody' }, access: 'write' })
    const server = await startServer({ ...options, authorize })
    for (let round = 0; round < rounds; round++) {
      const room = `undo ${round}`
      const random = randomFrom(seed + round)
      const all = await openTypists([server.url as string], room)
      const [eve, ...others] = all as [Typist, ...Typist[]]
      typeAll(all, random, 40)
      await converged(all)
      const wanted = contentOf(eve.doc).text
      const from = await server.history(room).name('before')
      typeAll([eve], random, 20)
      for (const other of others) other.type(random)
      await converged(all)
      const to = await server.history(room).name('after')
      const theirs = others.flatMap(({ typed }) => typed.slice(-1))
      const during = eve.typed.length
      const stop = keepOn(() => eve.type(random))

      const question = { user: 'y1.5', from: { version: from.id }, to: { version: to.id } }
      await server.history(room).undo(question, { author: 'ada' })

      // What is typed from now on comes after it at everybody.
      const then = eve.typed.length
      await until(() => eve.typed.length > then + 2, 'more typing')
      stop()
      await converged(all)
      const { text } = contentOf(eve.doc)
      const later = new Set(eve.typed.slice(during))
      expect(text.filter(word => !later.has(word) && !theirs.includes(word))).toEqual(
        wanted.filter(word => text.includes(word))
      )
      for (const word of theirs) expect(text).toContain(word)
      expect(new Set(text).size).toBe(text.length)
    }
  })
})
