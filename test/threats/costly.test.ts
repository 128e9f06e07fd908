/** Messages that cost more than their bytes. `node bench/floods.js` measures what floods of them do to a room beside. */
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { ByteWriter } from '../../src/document/byte-writer.ts'
import { encodeDeleteSet } from '../../src/document/delete-set.ts'
import { startBystanders } from '../support/bystanders.ts'
import { openRaw, updateFrame } from '../support/raw.ts'
import { startServer } from '../support/server.ts'

test('an update of a million clients is set aside, and a room beside goes on', async () => {
  const store = createMemoryStore()
  const { url } = await startServer({ store, limits: { refusalDelayMs: 1 } })
  const bystanders = await startBystanders(url)
  const update = clientsUpdate(1_000_000)

  const codes: number[] = []
  for (let i = 0; i < 2; i++) {
    const raw = await openRaw({ url, path: 'other' })
    raw.send(updateFrame(update))
    codes.push(await raw.closed())
  }

  expect(codes).toEqual([4500, 4413])
  expect((await store.listSetAside('other')).map(({ bytes }) => bytes.length)).toEqual([
    update.length,
    update.length
  ])
  await bystanders.unharmed()
})

test('deletions of more ranges than a document may have are set aside, from one update or many', async () => {
  const store = createMemoryStore()
  const { url } = await startServer({ store, limits: { updateRangesMax: 10_000, refusalDelayMs: 1 } })
  const raw = await openRaw({ url, path: 'room' })

  // Four times a quarter, in ever other places; then one range more.
  for (let offset = 0; offset < 16; offset += 4) raw.send(updateFrame(deletions(2_500, offset)))
  await raw.ask()
  raw.send(updateFrame(deletions(2_501, 12)))

  expect(await raw.closed()).toBe(4500)
  expect(await store.listSetAside('room')).toHaveLength(1)
})

test('of who keeps sending what is refused, in the end only the beginnings are set aside, and nobody else pays', async () => {
  const store = createMemoryStore()
  const limits = { refusalDelayMs: 1, setAsideBytesBurstMax: 1_000_000, setAsideBytesPerSecondMax: 1 }
  const { url } = await startServer({ store, limits, authorize: 'none', trustProxy: ['loopback'] })
  const refused = async (path: string, address: string, bytes: number) => {
    const raw = await openRaw({ url, path, headers: { 'x-forwarded-for': address } })
    raw.send(updateFrame(new Uint8Array(bytes).fill(9)))
    await raw.closed()
  }

  for (const path of ['a', 'b', 'a', 'a']) await refused(path, '203.0.113.1', 700_000)
  await refused('a', '203.0.113.1', 100)
  await refused('a', '203.0.113.2', 700_000)

  const kept = async (document: string) =>
    (await store.listSetAside(document)).map(({ bytes, reason }) => [
      bytes.length,
      /\(only.*/.exec(reason)?.[0]
    ])
  const cut = [4_096, '(only the first 4096 of 700000 bytes are kept)']
  expect(await kept('b')).toEqual([[700_000, undefined]])
  expect(await kept('a')).toEqual([[700_000, undefined], cut, cut, [100, undefined], [700_000, undefined]])
}, 60_000)

/** So many deletions of one client's clocks. */
function deletions(count: number, offset: number): Uint8Array {
  return encodeDeleteSet(
    Array.from({ length: count }, (_, i) => ({ client: 7, clock: 16 * i + offset, length: 1 }))
  )
}

function clientsUpdate(count: number): Uint8Array {
  const writer = new ByteWriter(count * 12)
  writer.writeVarUint(count)
  for (let i = 0; i < count; i++) for (const each of [1, 2 ** 31 + i, 0, 0, 1]) writer.writeVarUint(each)
  writer.writeVarUint(0)
  return writer.toUint8Array()
}
