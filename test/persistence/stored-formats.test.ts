/**
 * I12: what earlier versions have stored still opens. The files of stored/ are databases as a server of their time left
 * them, each key and value as hexadecimal digits.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openLevelStore } from '../../persistence/index.ts'
import { createLevelBackend } from '../../persistence/level-backend.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { startServer } from '../support/server.ts'
import { textOf, textUpdate } from '../support/text.ts'
import { temporaryDirectory } from './places.ts'

/** A data directory with what the file holds. */
async function restored(file: string): Promise<string> {
  const directory = temporaryDirectory()
  await (await openLevelStore(directory)).close()
  const text = readFileSync(join(import.meta.dirname, 'stored', file), 'utf8')
  const database = await createLevelBackend(join(directory, 'log')).open()
  const entries = (JSON.parse(text) as [string, string][]).map(each =>
    each.map(hex => Buffer.from(hex, 'hex'))
  )
  const put = entries.map(([key = empty, value = empty]) => ({ type: 'put', key, value }) as const)
  await database.batch(put, 'synced')
  await database.close()
  return directory
}

const empty = Buffer.alloc(0)

describe('a store with records of version 2', () => {
  const file = 'records-version-2.json'
  const client = (connection: string) => ({ user: null, connection, origin: 'client' })

  test('names connections without their addresses, and the application', async () => {
    const store = await openLevelStore(await restored(file))
    onTestFinished(() => store.close())
    const authors = async (document: string) =>
      (await store.load(document)).records.flatMap(({ record }) =>
        decodeRecord(record).map(each => each.author)
      )

    expect(await authors('typed')).toEqual([
      client('qfNjIoNM-1'),
      client('qfNjIoNM-2'),
      client('qfNjIoNM-1'),
      client('qfNjIoNM-3')
    ])
    expect(await authors('applied')).toEqual([
      { user: null, connection: null, origin: 'server' },
      { user: 'an agent', connection: null, origin: 'server' }
    ])
    expect(await authors('begun')).toEqual([{ user: null, connection: null, origin: 'load' }])
    expect(await store.listSetAside('typed')).toMatchObject([
      { author: client('qfNjIoNM-1'), bytes: Uint8Array.of(1, 1) }
    ])
  })

  test('opens with all its text, and is written on', async () => {
    const data = await restored(file)
    const server = await startServer({ data })
    const texts = async () => {
      const read = async (document: string) => textOf(await server.read(document))
      return { typed: await read('typed'), applied: await read('applied'), begun: await read('begun') }
    }

    const before = await texts()
    await server.apply('begun', textUpdate(' and continued', 10))
    const after = await texts()

    expect(before.typed).toMatch(/one two three/)
    expect(before.applied).toMatch(/by the server/)
    expect(before.applied).toMatch(/by an agent/)
    expect(before.begun).toBe('begun')
    expect(after.begun).toHaveLength('begun and continued'.length)
  })
})
