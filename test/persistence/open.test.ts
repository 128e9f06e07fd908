/** Which store a server gets for what it is told. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { directoryOfStore, openStore, shownStore } from '../../persistence/index.ts'
import { temporaryDirectory } from '../support/server.ts'

test('a directory and its file: URL are the same store', async () => {
  const directory = join(temporaryDirectory(), 'my documents')
  const url = pathToFileURL(directory).href
  const first = await openStore(url)
  await first.writeMetadata('key', Uint8Array.of(1))
  await first.close()

  const second = await openStore(directory)

  expect(await second.readMetadata('key')).toEqual(Uint8Array.of(1))
  await second.close()
  expect(directoryOfStore(url)).toBe(directory)
  expect(existsSync(join(directory, 'chorus.json'))).toBe(true)
})

test('an address that nothing here opens is refused, and what can be given is named', async () => {
  const opened = openStore('mongodb://localhost/documents')

  await expect(opened).rejects.toMatchObject({ code: 'STORE_ARGUMENT' })
  await expect(opened).rejects.toThrow(
    'There is no store for mongodb: addresses. Give a directory, :memory:, or'
  )
  await expect(openStore('file://elsewhere/documents')).rejects.toMatchObject({ code: 'STORE_ARGUMENT' })
})

test('only a directory on this machine is one', () => {
  expect(directoryOfStore(':memory:')).toBeNull()
  expect(directoryOfStore('postgres://localhost/documents')).toBeNull()
  expect(directoryOfStore('./documents')).toBe('./documents')
  expect(directoryOfStore('C:\\documents')).toBe('C:\\documents')
})

test('a location is shown without its password', () => {
  expect(shownStore('postgres://ann:secret@db.example:5432/notes?schema=b&password=secret')).toBe(
    'postgres://db.example:5432/notes?schema=b'
  )
  expect(shownStore('postgres://ann:se cret@:bad/')).toBe('postgres://…')
  expect(shownStore('./documents')).toBe('./documents')
})

test('what an address of PostgreSQL says beside the driver is checked', async () => {
  for (const [address, message] of [
    ['postgres://ann:secret@:bad/', 'is no URL'],
    ['postgres://localhost/notes?schema=a-b', 'A schema is named with'],
    ['postgres://localhost/notes?prepare=maybe', 'prepare is yes or no']
  ] as const) {
    const opened = openStore(address)
    await expect(opened).rejects.toMatchObject({ code: 'STORE_ARGUMENT' })
    await expect(opened).rejects.toThrow(message)
    await expect(opened).rejects.not.toThrow('secret')
  }
})
