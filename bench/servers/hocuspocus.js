/** Hocuspocus with its defaults on a free port; with `--data`, its SQLite extension. */
import { parseArgs } from 'node:util'
import { Server } from '@hocuspocus/server'

const { values } = parseArgs({ options: { data: { type: 'string' } } })

async function extensions(file) {
  if (file === undefined) return []
  const { SQLite } = await import('@hocuspocus/extension-sqlite')
  return [new SQLite({ database: file })]
}

const server = new Server({
  address: '127.0.0.1',
  port: 0,
  quiet: true,
  stopOnSignals: true,
  extensions: await extensions(values.data)
})
await server.listen()
console.log(`listening on http://127.0.0.1:${server.address.port}`)
