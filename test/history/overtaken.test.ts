/** Two that seal one history at once: whoever is overtaken finds blobs gone that it has just read of. */
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { randomOf } from '../support/random.ts'
import { beforeBlobs } from './before-blobs.ts'
import { createKeeping } from './keeping.ts'
import { textAt, writerOf } from './typing.ts'

test('a blob that another sealer has dropped meanwhile is no damage: nothing is missing in the history', async () => {
  const store = createMemoryStore()
  const other = createKeeping({ store, random: randomOf(1) })
  let overtakes = 0
  const slow = createKeeping({
    random: randomOf(2),
    store: beforeBlobs(store, async () => {
      if (overtakes++ > 0) return
      await other.histories.catchUp('x', await other.kept('x'))
    })
  })
  const writer = writerOf(store)
  const first = await writer.type('one ')
  await other.compact('x')
  const second = await writer.type('two ')

  await slow.compact('x')

  const { manifest } = await slow.kept('x')
  expect(overtakes).toBeGreaterThan(0)
  expect(manifest).toMatchObject({ holes: [], sealedTo: second })
  expect(await textAt(slow, first)).toBe('one ')
  expect(await textAt(slow, second)).toBe('one two ')
})
