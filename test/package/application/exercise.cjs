/** What an application does with the package, given its modules as it got them: by `require` or by `import`. */
const assert = require('node:assert/strict')
const { createHmac } = require('node:crypto')

const secret = 'a secret that is long enough to be one'

module.exports = async function exercise(
  { chorus, persistence, bus, Y, WebsocketProvider, WebSocket },
  data
) {
  let threads = 0
  process.on('worker', () => threads++)
  const server = chorus.createServer({
    data,
    authorize: chorus.jwt({ secret }),
    load: document => {
      if (document === 'nothing') throw new chorus.NoSuchDocument()
      return null
    }
  })
  const url = (await server.listen()).replace('http', 'ws')
  const doc = new Y.Doc()
  const options = { params: { token: token() }, WebSocketPolyfill: WebSocket, disableBc: true }
  const provider = new WebsocketProvider(url, 'room', doc, options)
  await new Promise(resolve => provider.once('sync', resolve))

  const seen = new Promise(resolve => doc.once('update', resolve))
  await server.change('room', (stored, given) => {
    assert.equal(given, Y, 'the yjs that the application has')
    assert.ok(stored instanceof Y.Doc)
    stored.getMap('map').set('inner', new Y.Map([['by', 'the server']]))
    stored.getText('text').insert(0, 'x'.repeat(400_000))
  })
  await seen
  assert.deepEqual(doc.getMap('map').toJSON(), { inner: { by: 'the server' } })

  doc.getText('text').insert(0, 'by the client')
  while (threads === 0) await readOnce(server, Y)
  await assert.rejects(
    server.change('nothing', () => {}),
    { code: 'ERR_NO_DOCUMENT' }
  )
  provider.destroy()
  doc.destroy()
  await server.stop()

  const store = await persistence.openLevelStore(data)
  assert.ok((await store.load('room')).records.length + (await store.load('room')).checkpoint !== 0)
  await store.close()

  await assert.rejects(bus.openBus('redis://127.0.0.1'), {
    code: 'BUS_CLIENT_MISSING',
    message: /npm install ioredis/
  })
  await assert.rejects(bus.openBus('nats://127.0.0.1'), { message: /npm install @nats-io\/transport-node/ })
  await assert.rejects(bus.openBus('amqp://127.0.0.1'), { message: /npm install rabbitmq-client/ })
  const memory = await bus.openBus(':memory:')
  await memory.close()
  console.log('all is well')
}

/** A long document of several updates is put together in the worker thread. */
async function readOnce(server, Y) {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, await server.read('room'))
  assert.ok(copy.getText('text').length >= 400_000)
  copy.destroy()
}

function token() {
  const encoded = value => Buffer.from(JSON.stringify(value)).toString('base64url')
  const head = encoded({ alg: 'HS256' })
  const body = encoded({ sub: 'ada', exp: Math.floor(Date.now() / 1000) + 600, rooms: { '**': 'write' } })
  return `${head}.${body}.${createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url')}`
}
