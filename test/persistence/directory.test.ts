/**
 * The store's directory: what is ours, what is not, and that nothing is written to what is not.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import { bytesOf, seen } from '../../persistence/conformance-tools.ts'
import { openLevelStore } from '../../persistence/leveldb.ts'
import { linesOf, startChild } from './child.ts'
import { temporaryDirectory } from './places.ts'

describe('a directory that holds something else is refused, and nothing is written to it', () => {
  const cases: readonly { name: string; says: string; fill: (directory: string) => void | Promise<void> }[] =
    [
      { name: 'some files', says: 'notes.txt', fill: path => writeFileSync(join(path, 'notes.txt'), 'mine') },
      {
        name: 'an existing y-leveldb database',
        says: 'LevelDB',
        fill: async path => {
          const database = new Level(path)
          await database.put('v1', 'x')
          await database.close()
        }
      },
      {
        name: 'a folder named log without a marker',
        says: 'log',
        fill: path => void mkdirSync(join(path, 'log'))
      },
      { name: 'a marker that is no JSON', says: 'chorus.json', fill: path => marker(path, 'hello') },
      {
        name: 'a marker of something else',
        says: 'chorus.json',
        fill: path => marker(path, '{"format":"x"}')
      },
      {
        name: 'an interrupted copy',
        says: 'copy',
        fill: path => writeFileSync(join(path, 'chorus.copying'), '')
      }
    ]

  test.each(cases)('$name', async ({ fill, says }) => {
    const directory = temporaryDirectory()
    await fill(directory)
    const before = contents(directory)

    const opening = openLevelStore(directory)

    await expect(opening).rejects.toMatchObject({ code: 'STORE_FOREIGN' })
    await expect(opening).rejects.toThrow(directory)
    await expect(opening).rejects.toThrow(says)
    expect(contents(directory)).toEqual(before)
  })

  test('a newer format is STORE_FORMAT', async () => {
    const directory = temporaryDirectory()
    marker(directory, '{"format":"y-chorus store","version":2}')

    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'STORE_FORMAT' })
    expect(readdirSync(directory)).toEqual(['chorus.json'])
  })
})

describe('a directory of ours', () => {
  test('is created with its parents, and says what it is', async () => {
    const directory = join(temporaryDirectory(), 'deep', 'er')

    const store = await openLevelStore(directory)
    await store.close()

    expect(readdirSync(directory).sort()).toEqual(['chorus.json', 'log'])
    expect(JSON.parse(readFileSync(join(directory, 'chorus.json'), 'utf8'))).toEqual({
      format: 'y-chorus store',
      version: 1
    })
  })

  test('opens after a first start that was cut off at any step', async () => {
    const directory = temporaryDirectory()
    for (const leftover of ['empty', 'temporary marker', 'half a marker', 'log', 'beside']) {
      rmSync(directory, { recursive: true, force: true })
      mkdirSync(directory)
      if (leftover !== 'empty')
        writeFileSync(join(directory, 'chorus.json.tmp'), leftover === 'log' ? '{}' : '{')
      if (leftover === 'log') mkdirSync(join(directory, 'log'))
      if (leftover === 'beside') writeFileSync(join(directory, 'control.json'), '{}')

      const store = await openLevelStore(directory)
      await store.append([{ document: 'a', record: bytesOf('one') }])
      await store.close()

      const again = await openLevelStore(directory)
      expect(seen(await again.load('a')).records).toEqual(['one'])
      await again.close()
    }
  })

  test('with its log missing is STORE_DAMAGED, never an empty store', async () => {
    const directory = temporaryDirectory()
    await (await openLevelStore(directory)).close()
    rmSync(join(directory, 'log'), { recursive: true })

    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    expect(readdirSync(directory)).toEqual(['chorus.json'])
  })

  test('held by this or another process is STORE_LOCKED, and free again after its end', async () => {
    const directory = temporaryDirectory()
    const store = await openLevelStore(directory)
    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await store.close()
    const child = startChild(holdOpen, [directory])
    for await (const line of linesOf(child)) if (line === 'open') break

    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await expect(openLevelStore(directory)).rejects.toThrow('Another process')
    const exited = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited

    await (await openLevelStore(directory)).close()
  })
})

describe('a directory that cannot be written is STORE_UNWRITABLE', () => {
  test('under a regular file, a regular file, and under /proc', async () => {
    const directory = temporaryDirectory()
    const file = join(directory, 'file')
    writeFileSync(file, '')
    const impossible =
      process.platform === 'linux' ? [file, join(file, 'x'), '/proc/chorus'] : [file, join(file, 'x')]

    for (const path of impossible) {
      const opening = openLevelStore(path)
      await expect(opening).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' })
      await expect(opening).rejects.toThrow(path)
    }
  })
})

const holdOpen = `
import { openLevelStore } from './persistence/index.js'
await openLevelStore(process.argv[2])
console.log('open')
setInterval(() => {}, 1000)
`

function marker(directory: string, text: string): void {
  writeFileSync(join(directory, 'chorus.json'), text)
}

/** Every file with its bytes. */
function contents(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  return Object.fromEntries(
    entries.map(entry => {
      const path = join(entry.parentPath, entry.name)
      return [path, entry.isFile() ? readFileSync(path, 'latin1') : 'directory']
    })
  )
}
