/** One part of an application imports, another requires: what is thrown by the one is known to the other. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as imported from 'y-chorus'

const required = createRequire(import.meta.url)('y-chorus')
assert.notEqual(imported.Fault, required.Fault)
for (const [one, other] of [
  [imported, required],
  [required, imported]
]) {
  const server = one.createServer({
    data: ':memory:',
    log: one.createLog('silent'),
    load: document => {
      if (document === 'later') throw new other.Refusal('being moved', { retry: 'later' })
      throw new other.NoSuchDocument('none of ours')
    }
  })
  await server.listen()
  await assert.rejects(
    server.change('later', () => {}),
    { code: 'ERR_NOT_NOW' }
  )
  const error = await server.change('gone', () => {}).catch(thrown => thrown)
  assert.equal(error.publicReason, 'none of ours')
  await server.stop()

  class Mine extends one.Refusal {}
  assert.ok(
    error instanceof one.Fault && error instanceof one.NoSuchDocument && !(error instanceof one.Refusal)
  )
  assert.ok(new Mine('a') instanceof other.Refusal && new Mine('a') instanceof Mine)
  assert.ok(!(new one.Refusal('a') instanceof Mine) && !(new Error('a') instanceof one.Fault))
}
console.log('all is well')
