/** Two that seal one history at once: whoever is overtaken finds blobs gone that it has just read of. */
import { expect, test } from 'vitest'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { randomOf } from '../support/random.ts'
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

/** The same store, where something happens between a manifest that was read and the blobs that it names. */
function beforeBlobs(store: Store, meanwhile: () => Promise<void>): Store {
  const { history } = store
  if (history === undefined) throw new Error('the store keeps no histories')
  const slow = new Proxy(history, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const call: typeof value = value.bind(target)
      if (name !== 'blobs') return call
      return async (...given: unknown[]) => {
        await meanwhile()
        return call(...given)
      }
    }
  })
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'history') return slow
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}
