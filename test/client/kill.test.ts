/**
 * The server is killed at the instant in which a client is told that something is saved. Everything that any client was told so
 * of must be on the disk. CHORUS_LONG=1 goes on until 10,000 such answers were checked.
 */
import { expect, test } from 'vitest'
import { seed } from '../support/seed.ts'
import { type ServerProcess, spawnServer, temporaryDirectory } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'
import { type Joined, join, shows, stored } from './joined.ts'

const isLong = process.env.CHORUS_LONG === '1'
const checkedMin = isLong ? 10_000 : 100
const roomCount = 8

type Desk = { readonly room: string; readonly client: Joined; readonly saved: string[]; saves: number }

test(`what was said to be saved survives a kill at that instant: ${checkedMin} answers (SEED=${seed})`, {
  timeout: isLong ? 3 * 3_600_000 : 120_000
}, async () => {
  const random = randomFrom(seed)
  const data = temporaryDirectory()
  const figures = { kills: 0, checked: 0, missing: 0 }
  const latenciesMs: number[] = []
  while (figures.checked < checkedMin || figures.kills < 3) {
    const server = await start(data)
    const desks = await Promise.all(
      Array.from({ length: roomCount }, (_, i) => openDesk(server, `${figures.kills}-${i}`))
    )
    await typeUntilKilled(server, desks, { random, latenciesMs })
    for (const { client } of desks) client.provider.destroy()
    figures.kills++

    const again = await start(data)
    for (const { room, saved } of desks) {
      const text = await stored(again.url, room)
      figures.checked += saved.length
      figures.missing += saved.filter(each => !text.includes(each)).length
    }
    await again.kill()
  }

  console.log('kills at the instant of an answer:', figures, latenciesOf(latenciesMs))
  expect(figures.missing).toBe(0)
  expect(figures.checked).toBeGreaterThanOrEqual(checkedMin)
})

type Chance = { readonly random: () => number; readonly latenciesMs: number[] }

/** Each desk types, waits until that is saved, and types on. The answer that is drawn kills the server, in the same turn. */
async function typeUntilKilled(
  server: ServerProcess,
  desks: readonly Desk[],
  { random, latenciesMs }: Chance
) {
  const total = Math.floor((2 + random() * 8) * desks.length)
  let answers = 0
  let isKilled = false
  const work = desks.map(async desk => {
    while (!isKilled) {
      const word = `<${desk.room}:${desk.saves++}>`
      const startMs = performance.now()
      const text = desk.client.doc.getText('t')
      text.insert(random() < 0.5 ? 0 : text.length, word)
      await desk.client.provider.saved()
      // What was answered before the kill counts; it is what a person may have seen.
      if (isKilled) return
      latenciesMs.push(performance.now() - startMs)
      desk.saved.push(word)
      if (++answers < total) continue
      isKilled = true
      await server.kill()
    }
  })
  await Promise.race(work)
  for (const { client } of desks) client.provider.destroy()
  // Those that waited for an answer are told that there will be none.
  await Promise.allSettled(work)
}

async function openDesk(server: ServerProcess, room: string): Promise<Desk> {
  const client = join(server.url, room)
  await shows(client, { synced: true }, 'the document')
  return { room, client, saved: [], saves: 0 }
}

function latenciesOf(latenciesMs: number[]) {
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]?.toFixed(1)
  return { medianMs: at(0.5), p99Ms: at(0.99) }
}

function start(data: string): Promise<ServerProcess> {
  return spawnServer(['--port', '0', '--data', data, '--log-level', 'error'])
}
