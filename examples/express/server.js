/** Express and Chorus on one port: clients connect to ws://localhost:3000/collab. */
import { createServer as createHttpServer } from 'node:http'
import express from 'express'
import { createServer } from 'y-chorus'

const chorus = createServer({ data: process.env.DATA ?? './chorus-data', path: '/collab' })
const app = express()
const httpServer = createHttpServer(app)
await chorus.attach(httpServer)

app.get('/notes/:name', async (request, response) => {
  let text = ''
  await chorus.change(request.params.name, doc => {
    text = doc.getText('body').toString()
  })
  response.type('text').send(text)
})

app.post('/notes/:name', express.text(), async (request, response) => {
  await chorus.change(request.params.name, doc => doc.getText('body').insert(0, request.body))
  response.sendStatus(204)
})

// Chorus's own pages and /collab/healthz, /collab/metrics.
app.use('/collab', (request, response) => {
  request.url = request.originalUrl
  chorus.handle(request, response)
})

httpServer.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${httpServer.address().port}`)
})

process.once('SIGTERM', async () => {
  await chorus.stop()
  httpServer.close(() => process.exit(0))
  httpServer.closeAllConnections()
})
