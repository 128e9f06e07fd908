/** A load client in one room: connects, syncs, and hands on what it is sent. Nothing here keeps a Y.Doc. */
import { maskedFrame, RawSocket } from './socket.js'
import { emptyUpdate } from './wire.js'

/** Everything a client may be told; all optional. */
const silent = { onUpdate: () => {}, onAwareness: () => {}, onAck: () => {}, onClosed: null }

/** Connections that a server ended without being asked to; a scenario that ends the server empties it. */
export const closures = []

export class Client {
  #dialect
  #room
  #socket
  #listeners
  #resolve
  #reject
  #answer
  #isSynced = false
  /** Resolves when the server said that this client has everything. */
  synced

  /** `vector`: the state vector it comes with; `offline`: the update it answers the server's SyncStep1 with. */
  constructor({ port, dialect, room, vector, offline = emptyUpdate, ...listeners }) {
    this.#dialect = dialect
    this.#room = room
    this.#listeners = { ...silent, ...listeners }
    this.#answer = maskedFrame(dialect.step2(room, offline))
    this.synced = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever does not wait for it is told by onClosed.
    this.synced.catch(() => {})
    const hello = dialect.hello(room, vector).map(payload => maskedFrame(payload))
    this.#socket = new RawSocket({
      port,
      path: dialect.path(room),
      onOpen: () => this.#socket.send(Buffer.concat(hello)),
      onMessage: (bytes, start, end) => this.#receive(bytes, start, end),
      onClose: (code, error) => this.#closed(code, error)
    })
  }

  get isSynced() {
    return this.#isSynced
  }

  get receivedBytes() {
    return this.#socket.receivedBytes
  }

  get receivedFrames() {
    return this.#socket.receivedFrames
  }

  get queuedBytes() {
    return this.#socket.queuedBytes
  }

  /** Sends a frame made by `maskedFrame`. */
  send(frame) {
    this.#socket.send(frame)
  }

  sendUpdate(update) {
    this.send(maskedFrame(this.#dialect.update(this.#room, update)))
  }

  sendAwareness(update) {
    this.send(maskedFrame(this.#dialect.awareness(this.#room, update)))
  }

  close() {
    this.#socket.close()
  }

  #receive(bytes, start, end) {
    const message = this.#dialect.read(bytes, start, end)
    switch (message.kind) {
      case 'update':
        return this.#listeners.onUpdate(bytes, message.start, message.end)
      case 'step2':
        this.#listeners.onUpdate(bytes, message.start, message.end)
        if (this.#isSynced) return
        this.#isSynced = true
        return this.#resolve(this)
      case 'step1':
        return this.send(this.#answer)
      case 'awareness':
        return this.#listeners.onAwareness(bytes, message.start, message.end)
      case 'ack':
        return this.#listeners.onAck()
      case 'refusal':
        throw new Error('the server refused an update')
      default:
    }
  }

  #closed(code, error) {
    const reason = new Error(`the server closed a connection: ${code ?? error?.message ?? 'without a word'}`)
    this.#reject(reason)
    if (this.#listeners.onClosed !== null) this.#listeners.onClosed(reason)
    else closures.push(reason.message)
  }
}

/** Opens `count` clients, at most `abreast` at a time in their handshake. `make(index)` gives their options. */
export async function openClients(count, abreast, make) {
  const clients = new Array(count)
  let next = 0
  const opener = async () => {
    while (next < count) {
      const index = next++
      clients[index] = new Client(make(index))
      await clients[index].synced
    }
  }
  await Promise.all(Array.from({ length: Math.min(abreast, count) }, opener))
  return clients
}

export function closeClients(clients) {
  for (const client of clients) client.close()
}
