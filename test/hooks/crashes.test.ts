/** The promises of load, apply and read, while disks fail and processes die. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { SimulatedOutcome } from '../../persistence/simulated.ts'
import type { Store } from '../../persistence/store.ts'
import { createServer, type Server } from '../../src/server.ts'
import { diskStore } from '../support/disk.ts'
import { randomOf } from '../support/random.ts'
import { seed as firstSeed } from '../support/seed.ts'
import { quietLog, startServer, temporaryDirectory } from '../support/server.ts'
import { textUpdate } from '../support/text.ts'

console.log(`test/hooks/crashes.test.ts: SEED=${firstSeed}`)

test.each(Array.from({ length: 12 }, (_, i) => firstSeed + i))(
  'whatever the disk does: the seed is there once, and what was resolved or read stays (SEED=%i)',
  async seed => {
    const random = randomOf(seed)
    let isCalm = true
    const outcomes: SimulatedOutcome[] = ['failed', 'failed-but-written', 'crash-before', 'crash-after']
    const { disk, open } = diskStore({
      onWrite: () =>
        isCalm || random() > 0.15 ? 'written' : (outcomes[Math.floor(random() * 4)] ?? 'written')
    })
    const promised = new Set<string>()
    let store: Store | null = null
    for (let life = 0; life < 6; life++) {
      isCalm = true
      store = await open()
      const server = await serverOn(store)
      isCalm = false
      for (let step = 0; step < 15; step++) {
        const word = `${life}.${step}`
        if (random() < 0.6)
          await server.apply('room', wordUpdate(word)).then(() => promised.add(word), ignore)
        else for (const each of wordsOf(await server.read('room').catch(() => null))) promised.add(each)
      }
      disk.crash()
      await server.stop().catch(ignore)
    }
    isCalm = true
    const server = await serverOn(await open())
    await server.change('room', () => {})
    const stored = await server.read('room')
    await server.stop()

    const doc = new Y.Doc()
    Y.applyUpdate(doc, stored ?? new Uint8Array())
    expect([...promised].filter(word => !doc.getMap('words').has(word))).toEqual([])
    expect(promised.size).toBeGreaterThan(0)
    expect(doc.getText('t').toString()).toBe('seed')
  }
)

test('what apply has resolved for is there after SIGKILL', async () => {
  const data = join(temporaryDirectory(), 'd')
  // The program lies in an empty directory, so it imports what was built by its address.
  const library = new URL('../../dist/src/index.js', import.meta.url).href
  const yjs = import.meta.resolve('yjs')
  const program = join(temporaryDirectory(), 'program.mjs')
  writeFileSync(
    program,
    `import { createServer } from ${JSON.stringify(library)}
     import * as Y from ${JSON.stringify(yjs)}
     const server = createServer({ data: process.argv[2], pages: null })
     await server.listen()
     for (let i = 0; ; i++) {
       const doc = new Y.Doc()
       doc.getMap('words').set(String(i), true)
       await server.apply('room ' + i % 3, Y.encodeStateAsUpdate(doc))
       console.log(i)
     }`
  )
  const child = spawn(process.execPath, [program, data], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const applied: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    applied.push(Number(line))
    if (applied.length === 60) child.kill('SIGKILL')
  }
  await exited

  const server = await startServer({ data })
  const rooms = await Promise.all([0, 1, 2].map(i => server.read(`room ${i}`)))
  const found = new Set(rooms.flatMap(wordsOf).map(Number))

  expect(applied.length).toBeGreaterThanOrEqual(60)
  expect(applied.filter(i => !found.has(i))).toEqual([])
})

/** A new clientID for each seed: were it written twice, the text would be there twice. */
async function serverOn(store: Store): Promise<Server> {
  const server = createServer({
    store,
    log: quietLog,
    pages: null,
    limits: { roomIdleMs: 1, compactionBytesMin: 200, compactionRatio: 0.1 },
    load: () => textUpdate('seed')
  })
  await server.listen()
  onTestFinished(() => server.stop().catch(ignore))
  return server
}

function wordUpdate(word: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getMap('words').set(word, true)
  return Y.encodeStateAsUpdate(doc)
}

function wordsOf(update: Uint8Array | null): string[] {
  if (update === null) return []
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return [...doc.getMap('words').keys()]
}

/** What fails here is the point of the test. */
function ignore(): void {}
