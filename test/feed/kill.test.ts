/** A receiver that is away, a server that is killed meanwhile, and both again: every change is told, in order. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import type { FeedEvent } from '../../outlets/index.ts'
import { openStore } from '../../persistence/index.ts'
import { untilAsync } from '../support/clients.ts'
import { startServer, temporaryDirectory } from '../support/server.ts'
import { allReceivers, type Place } from './places.ts'
import { positionOf, secret } from './receiver.ts'

const limits = { changeDebounceMs: 20, changeMaxWaitMs: 100, outletRetryMs: 50, outletRetryMsMax: 200 }
const documents = 5

for (const { name, isMissing, start } of allReceivers) {
  test.skipIf(isMissing)(
    `${name}, away where it can be, the server killed twice: each change arrives, in order for each document`,
    async () => {
      const receivers = await start()
      onTestFinished(() => receivers.stop())
      await roundOf(await receivers.newPlace())
    },
    170_000
  )
}

async function roundOf(place: Place): Promise<void> {
  const data = join(temporaryDirectory(), 'd')
  const program = programOf(place.location)
  // Some are told, then nobody takes them, then the server dies in the middle of it.
  const first = run(program, data, 0)
  await first.until(30)
  await place.leave?.()
  await first.until(90)
  await first.kill()
  const second = run(program, data, 1_000)
  await second.until(60)
  await place.comeBack?.()
  await second.until(120)
  await second.kill()
  const applied = [...first.applied, ...second.applied]
  const heads = await headsIn(data)
  await startServer({ data, outlets: [place.location], outletSecret: secret, limits })
  let told: readonly FeedEvent[] = []
  await untilAsync(async () => {
    told = await place.received()
    return [...heads].every(([document, head]) => last(told, document) === head)
  }, 'every document to be told of as it is')

  expect(applied.length).toBeGreaterThanOrEqual(210)
  expect(heads.size).toBe(documents)
  for (const document of heads.keys()) {
    const events = told.filter(event => event.document === document)
    const positions = events.map(positionOf)
    expect(positions).toEqual([...positions].sort((a, b) => a - b))
    expect(events[0]?.type).toBe('document.created')
    // Whoever has changed it is named by some event, also where the server that took the change was killed.
    const users = new Set(events.flatMap(({ users }) => users))
    expect(applied.filter(each => each.document === document && !users.has(each.author))).toEqual([])
  }
}

type Applied = { readonly document: string; readonly author: string }

/** In an empty directory, so it imports what was built by its address. */
function programOf(outlet: string): string {
  const library = new URL('../../dist/src/index.js', import.meta.url).href
  const yjs = import.meta.resolve('yjs')
  const program = join(temporaryDirectory(), 'program.mjs')
  const options = { outlets: [outlet], outletSecret: secret, limits, pages: null }
  writeFileSync(
    program,
    `import { createServer } from ${JSON.stringify(library)}
     import * as Y from ${JSON.stringify(yjs)}
     const [data, from] = process.argv.slice(2)
     const server = createServer({ ...${JSON.stringify(options)}, data })
     await server.listen()
     for (let i = Number(from); ; i++) {
       const doc = new Y.Doc()
       doc.getMap('words').set(String(i), true)
       const [document, author] = ['room ' + i % ${documents}, 'author ' + i % 7]
       await server.apply(document, Y.encodeStateAsUpdate(doc), { author })
       console.log(JSON.stringify({ document, author }))
       await new Promise(resolve => setTimeout(resolve, 3))
     }`
  )
  return program
}

function run(program: string, data: string, from: number) {
  const child = spawn(process.execPath, [program, data, String(from)], {
    stdio: ['ignore', 'pipe', 'ignore']
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const applied: Applied[] = []
  let reached = () => {}
  createInterface({ input: child.stdout }).on('line', line => {
    applied.push(JSON.parse(line) as Applied)
    reached()
  })
  const until = (count: number) =>
    new Promise<void>(resolve => {
      reached = () => {
        if (applied.length >= count) resolve()
      }
      reached()
    })
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return { applied, until, kill }
}

/** How far each document has come. */
async function headsIn(data: string): Promise<Map<string, number>> {
  const store = await openStore(data, { create: false })
  const names = await store.list()
  const heads = await store.heads(names.map(document => ({ document })))
  await store.close()
  return new Map(names.map((name, index) => [name, heads[index]?.head ?? 0]))
}

function last(told: readonly FeedEvent[], document: string): number {
  return Math.max(0, ...told.filter(event => event.document === document).map(positionOf))
}
