/** The real Durable Streams client beside clients of the two WebSocket dialects, in one room. */
import { expect, onTestFinished, test } from 'vitest'
import { connect, converged, synced } from '../support/clients.ts'
import { startServer } from '../support/server.ts'
import { connectStream, type LiveMode, streamSynced } from '../support/streams.ts'

const liveModes: readonly LiveMode[] = ['sse', 'long-poll']

test.each(liveModes)(
  '[DS1] a client that reads by %s and a y-websocket client see each other',
  async liveMode => {
    const server = await startServer()
    const a = connectStream(server.url, 'room', { liveMode })
    const b = connect(server.url, 'room')
    onTestFinished(() => [a, b].forEach(client => void client.destroy()))
    await Promise.all([streamSynced(a), synced(b)])
    a.doc.getText('t').insert(0, 'from a stream ')
    b.doc.getText('t').insert(0, 'from a socket ')
    await converged([a, b])
    expect(a.doc.getText('t').toString()).toContain('from a socket')
    expect(b.doc.getText('t').toString()).toContain('from a stream')
    expect(a.errors).toEqual([])
  }
)
