/**
 * A server that is killed while it restores a document. Asked for again with the same key, the restore has happened once,
 * and what anybody has seen of it is there: in a directory, and in PostgreSQL. CHORUS_LONG=1 does it forty times each.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { RestoreAnswer } from '../../src/documents/history-api.ts'
import { postgresFor } from '../cluster/checkpoint-nodes.ts'
import { barrier, type Client, connect, synced, until } from '../support/clients.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, spawnServer, temporaryDirectory } from '../support/server.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { randomFrom } from '../support/trace.ts'

const isLong = process.env.CHORUS_LONG === '1'
const token = 'a token of sixteen bytes and more'

test(`in a directory (SEED=${seed})`, { timeout: 30 * 60_000 }, async () => {
  await killAmidRestores(join(temporaryDirectory(), 'data'), isLong ? 40 : 5)
})

describe.skipIf(postgresMissing !== null)('in PostgreSQL', () => {
  const place = postgresFor('restore_kills')

  test(`whose server goes on meanwhile (SEED=${seed})`, { timeout: 30 * 60_000 }, async () => {
    await killAmidRestores(place.address, isLong ? 40 : 3)
  })
})

/** `data`: as the option of the command. */
async function killAmidRestores(data: string, rounds: number): Promise<void> {
  const random = randomFrom(seed)
  const tokenFile = join(temporaryDirectory(), 'token')
  writeFileSync(tokenFile, token)
  const start = () =>
    spawnServer(['--port', '0', '--history', '**', '--data', data, '--admin-token-file', tokenFile])
  const found = { committed: 0, answered: 0 }
  for (let round = 0; round < rounds; round++) {
    const { isCommitted, isAnswered } = await killAmidRestore(start, `room ${round}`, random)
    if (isCommitted) found.committed++
    if (isAnswered) found.answered++
  }
  console.log(
    `of ${rounds} kills ${found.committed} came after the commit, ${found.answered} after the answer`
  )
}

async function killAmidRestore(
  start: () => Promise<ServerProcess>,
  room: string,
  random: () => number
): Promise<{ isCommitted: boolean; isAnswered: boolean }> {
  const dying = await start()
  const tookMs = await timeOfRestore(dying, room)
  const { writer, version } = await changed(dying, room)
  const restoring = restore(dying, room, version).then(
    () => true,
    () => false
  )
  await new Promise(resolve => setTimeout(resolve, random() * 1.5 * tookMs))
  await dying.kill()
  const isAnswered = await restoring
  const seen = textOf(writer)
  writer.destroy()

  const server = await start()
  const reader = await enter(server, room)
  const isCommitted = textOf(reader) === 'one two'
  expect(textOf(reader), `SEED=${seed} ${room}`).toBe(isCommitted ? 'one two' : 'two three')
  // What somebody has seen, and what was answered, no crash takes back.
  if (seen === 'one two' || isAnswered) expect(isCommitted).toBe(true)
  reader.doc.getText('t').insert(reader.doc.getText('t').length, '!')
  await barrier(reader)
  const answer = await restore(server, room, version)

  const wanted = isCommitted ? 'one two!' : 'one two'
  await until(() => textOf(reader) === wanted, `${wanted}, in ${room} of SEED=${seed}`)
  expect(await restore(server, room, version)).toEqual(answer)
  const { versions } = await ask<{ versions: { kind: string; id: string }[] }>(server, room, '')
  const named = versions.filter(({ kind }) => kind === 'before-restore').map(each => each.id)
  expect(named).toEqual([answer.version])
  reader.destroy()
  await server.terminate()
  return { isCommitted, isAnswered }
}

/** How long one takes by now, with the thread that computes it running. */
async function timeOfRestore(server: ServerProcess, room: string): Promise<number> {
  let tookMs = 0
  for (const warm of ['a', 'b']) {
    const { writer, version } = await changed(server, `${warm} ${room}`)
    const startMs = performance.now()
    await restore(server, `${warm} ${room}`, version)
    tookMs = performance.now() - startMs
    writer.destroy()
  }
  return tookMs
}

/** A document that was "one two" at a version, and is something else. */
async function changed(server: ServerProcess, room: string): Promise<{ writer: Client; version: string }> {
  const writer = await enter(server, room)
  const text = writer.doc.getText('t')
  text.insert(0, 'one two')
  await barrier(writer)
  const { id } = await ask<{ id: string }>(server, room, 'versions', { body: { name: 'then' } })
  text.delete(0, 4)
  text.insert(3, ' three')
  await barrier(writer)
  return { writer, version: id }
}

async function enter({ url }: ServerProcess, room: string): Promise<Client> {
  const client = connect(url, room)
  let isDestroyed = false
  const destroy = () => {
    if (!isDestroyed) client.destroy()
    isDestroyed = true
  }
  onTestFinished(destroy)
  await synced(client)
  return { ...client, destroy }
}

function textOf({ doc }: Client): string {
  return doc.getText('t').toString()
}

function restore(server: ServerProcess, room: string, version: string): Promise<RestoreAnswer> {
  return ask(server, room, 'restore', { body: { version }, key: 'the key' })
}

/** A POST with the body, or a GET where there is none. */
async function ask<T>(
  { url }: ServerProcess,
  room: string,
  what: string,
  { body, key }: { readonly body?: unknown; readonly key?: string } = {}
): Promise<T> {
  const response = await fetch(
    `${url}/api/documents/${encodeURIComponent(room)}/history${what && `/${what}`}`,
    {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    }
  )
  const answer: unknown = await response.json()
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(answer)}`)
  return answer as T
}
