// A replica that begins empty, loads the document from the server over a connection of its own, and goes. What it has,
// the server had; nothing else on this page could have told it.
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const patienceMs = 15_000

/** Rejects when the server has not handed the document out within 15 s. The caller destroys the document. */
export function askWitness(serverUrl: string, room: string): Promise<Y.Doc> {
  const doc = new Y.Doc()
  // Not through the page's network: no gate, no toxics, and the browser's own WebSocket.
  const provider = new WebsocketProvider(serverUrl, room, doc, { disableBc: true })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      provider.destroy()
      reject(new Error('the server did not hand out the document'))
    }, patienceMs)
    provider.once('sync', () => {
      clearTimeout(timer)
      // Destroying sends a farewell, and in the handler the answer to the server's own question is still to be sent.
      setTimeout(() => provider.destroy())
      resolve(doc)
    })
  })
}
