/** A custom Next server with Chorus on the same port: clients connect to ws://localhost:3000/collab. */
import { createServer as createHttpServer } from 'node:http'
import next from 'next'
import { chorus } from './lib/chorus.js'

const dev = process.env.NODE_ENV !== 'production'
const httpServer = createHttpServer()
// Next adds its own `upgrade` listener for hot reloading, and leaves other paths alone.
const app = next({ dev, dir: import.meta.dirname, httpServer })
await app.prepare()
httpServer.on('request', app.getRequestHandler())
await chorus.attach(httpServer)

httpServer.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${httpServer.address().port}`)
})

process.once('SIGTERM', async () => {
  await chorus.stop()
  process.exit(0)
})
