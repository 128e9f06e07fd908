/** Who a cluster is, as its store has it: made once, whoever begins, and another one for a copy. */
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { clusterIdentity, renewClusterIdentity } from '../../src/cluster/identity.ts'

test('nodes that start at once agree on an id and a key, and later ones find them', async () => {
  const store = createMemoryStore()

  const identities = await Promise.all([1, 2, 3].map(() => clusterIdentity(store)))

  expect(new Set(identities.map(({ id }) => id)).size).toBe(1)
  expect(identities[0]?.key).toHaveLength(32)
  expect(new Set([...(identities[0]?.key ?? [])]).size).toBeGreaterThan(8)
  for (const each of identities) expect(each).toEqual(identities[0])
  expect(await clusterIdentity(store)).toEqual(identities[0])
})

test('another id comes with another key', async () => {
  const store = createMemoryStore()
  const before = await clusterIdentity(store)

  const id = await renewClusterIdentity(store)

  const after = await clusterIdentity(store)
  expect(after.id).toBe(id)
  expect(after.id).not.toBe(before.id)
  expect(after.key).not.toEqual(before.key)
})

test.each([
  '',
  'x',
  '{"version":2,"id":"a","key":"a"}',
  '{"version":1,"id":"a","key":"c2hvcnQ="}',
  '[]',
  'null'
])('what cannot be read (%j) is an error that does not repeat it, and stays as it is', async text => {
  const store = createMemoryStore()
  await store.writeMetadata('cluster', Buffer.from(text))

  await expect(clusterIdentity(store)).rejects.toMatchObject({
    code: 'ERR_INTERNAL',
    message: 'what the store has under cluster cannot be read'
  })
  expect(Buffer.from((await store.readMetadata('cluster')) ?? []).toString()).toBe(text)
})
