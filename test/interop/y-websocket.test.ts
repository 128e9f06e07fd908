/** Unmodified y-websocket clients, oldest and newest supported, against a real server: one suite in a loop. */
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { type Client, clientVersions, connect, converged, synced, until } from '../support/clients.ts'
import { startServer } from '../support/server.ts'

describe.each(clientVersions)('y-websocket %s', version => {
  async function clients(count: number, room = 'room'): Promise<{ url: string; all: Client[] }> {
    const { url } = await startServer()
    const all = Array.from({ length: count }, () => join(url, room))
    await Promise.all(all.map(synced))
    return { url, all }
  }

  function join(url: string, room = 'room', doc = new Y.Doc()): Client {
    const client = connect(url, room, { version, doc })
    onTestFinished(client.destroy)
    return client
  }

  test('text typed by one appears at the other', async () => {
    const { all } = await clients(2)
    const [a, b] = all as [Client, Client]

    a.doc.getText('t').insert(0, 'hello')
    b.doc.getText('t').insert(0, 'world ')
    await converged(all)

    expect(b.doc.getText('t').toString()).toContain('hello')
    expect(a.doc.getText('t').toString()).toContain('world')
  })
})
