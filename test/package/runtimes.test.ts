/** The built command on other runtimes than Node, with real clients and messages of every size. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../house/source.ts'
import { barrier, type Client, connect, synced, until } from '../support/clients.ts'
import { install, packedBuild } from '../support/package.ts'
import { type ProgramName, program } from '../support/programs.ts'
import { spawnCommand, temporaryDirectory } from '../support/server.ts'

const runtimes = [
  { name: 'deno', options: ['run', '--allow-all'] },
  { name: 'bun', options: [] }
] as const satisfies { name: ProgramName; options: readonly string[] }[]

/** The last is more than any socket's buffer takes at once. */
const sizes = [100, 20_000, 1_000_000, 10_000_000]

test.for(runtimes)(
  '$name serves what it stores, in messages of up to 10 MB, also after a restart',
  { timeout: 180_000 },
  async (runtime, context) => {
    const path = await program(runtime.name)
    if (path === null) return context.skip()
    const command = [path, ...runtime.options, join(root, 'dist/src/command/cli.js')]
    const data = temporaryDirectory()
    const server = await spawnCommand([...command, '--port', '0', '--data', data])

    for (const size of sizes) {
      const room = `room-${size}`
      const [writer, reader] = [await open(server.url, room), await open(server.url, room)]
      writer.doc.getText('text').insert(0, 'x'.repeat(size))
      await barrier(writer)
      await until(() => textOf(reader).length === size, `${size} characters at the reader`, 60_000)
      writer.destroy()
      reader.destroy()
    }

    expect(await server.terminate()).toBe(0)
    const again = await spawnCommand([...command, '--port', '0', '--data', data])
    const lengths = await Promise.all(
      sizes.map(async size => {
        const client = await open(again.url, `room-${size}`)
        const { length } = textOf(client)
        client.destroy()
        return length
      })
    )
    expect(lengths).toEqual(sizes)
    expect(await again.terminate()).toBe(0)
  }
)

test('a WebSocket of Bun is refused by server.connect, and not served half', async context => {
  const path = await program('bun')
  if (path === null) return context.skip()
  const packed = await packedBuild()
  const { directory, run } = install(packed, ['ws'])
  writeFileSync(join(directory, 'main.mjs'), handsOver)

  const printed = await run([path, 'main.mjs'])

  expect(printed).toBe(
    'TypeError: a WebSocket of Bun cannot be taken over by server.connect; use server.attach\n'
  )
})

const handsOver = `
  import { createServer as createHttpServer } from 'node:http'
  import { WebSocket, WebSocketServer } from 'ws'
  import { createServer } from 'y-chorus'

  const chorus = createServer({ data: ':memory:' })
  await chorus.listen()
  const httpServer = createHttpServer()
  const accepted = new Promise(resolve => {
    new WebSocketServer({ server: httpServer }).on('connection', (...taken) => resolve(taken))
  })
  httpServer.listen(0, '127.0.0.1', () => new WebSocket('ws://127.0.0.1:' + httpServer.address().port + '/room'))
  const [socket, request] = await accepted
  try {
    chorus.connect(socket, request)
  } catch (error) {
    console.log(String(error))
  }
  process.exit()
`

async function open(url: string, room: string): Promise<Client> {
  const client = connect(url, room)
  await synced(client)
  return client
}

function textOf({ doc }: Client): string {
  return doc.getText('text').toString()
}
