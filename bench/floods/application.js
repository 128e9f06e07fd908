/** An application with an HTTP server of its own, beside which the server is attached; started as the command would be. */
import { createServer as createHttpServer } from 'node:http'
import { createServer } from '../../dist/src/index.js'

const [data] = process.argv.slice(2)
const chorus = createServer({ data, pages: null })
const httpServer = createHttpServer((request, response) => chorus.handle(request, response))
await chorus.attach(httpServer)
httpServer.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${httpServer.address().port}\n`)
})
