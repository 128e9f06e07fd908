/** A server that is killed in the moment in which it has answered a request: what it answered is there. CHORUS_LONG=1: 200 times. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { spawnServer, temporaryDirectory } from '../support/server.ts'

const rounds = process.env.CHORUS_LONG === '1' ? 200 : 4

test(`what was answered is there after ${rounds} kills in that moment`, {
  timeout: 60_000 + rounds * 20_000
}, async () => {
  const args = ['--data', join(temporaryDirectory(), 'data'), '--auth', 'none', '--port', '0']
  const octets = { 'content-type': 'application/octet-stream' }
  const doc = new Y.Doc()
  let update = new Uint8Array()
  doc.on('update', bytes => {
    update = Uint8Array.from(bytes)
  })
  let lost = 0
  let answered = 0
  for (let round = 0; round < rounds; round++) {
    const server = await spawnServer(args)
    const url = `${server.url}/api/documents/a`
    if (round > 0) {
      const there = new Y.Doc()
      Y.applyUpdate(there, new Uint8Array(await (await fetch(url)).arrayBuffer()))
      if (there.getText('t').length !== answered) lost++
      const made = await fetch(`${server.url}/api/documents/made${round - 1}`)
      if (made.status !== 200) lost++
    }
    const times = 1 + (round % 5)
    for (let i = 0; i < times; i++) {
      doc.getText('t').insert(doc.getText('t').length, 'x')
      const written = await fetch(`${url}/updates`, { method: 'POST', headers: octets, body: update })
      expect(written.status).toBe(200)
      answered++
    }
    const made = await fetch(`${server.url}/api/documents/made${round}`, {
      method: 'PUT',
      headers: octets,
      body: update
    })
    expect(made.status).toBe(201)
    await server.kill()
  }

  expect([lost, answered]).toEqual([0, doc.getText('t').length])
})
