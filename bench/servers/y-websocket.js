/**
 * @y/websocket-server as its own `server.js` starts it, on a free port: 0.1.5, memory only, or with `--data` the last
 * release that has storage, 0.1.1 with y-leveldb.
 */
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { data: { type: 'string' } } })
if (values.data !== undefined) process.env.YPERSISTENCE = values.data
const name = values.data === undefined ? '@y/websocket-server' : 'websocket-server-0.1.1'

const { setupWSConnection } = await import(`${name}/utils`)
// Each release with the ws it depends on.
const { Server } = createRequire(createRequire(import.meta.url).resolve(`${name}/package.json`))('ws')

const webSockets = new Server({ noServer: true })
const server = createServer((_request, response) => response.end('okay'))
webSockets.on('connection', setupWSConnection)
server.on('upgrade', (request, socket, head) => {
  webSockets.handleUpgrade(request, socket, head, ws => webSockets.emit('connection', ws, request))
})
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`))
