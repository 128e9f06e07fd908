// In a busy room an update arrives every few milliseconds, and everything that is bound to the document works through
// each of them. Those that arrive within a frame are applied as one transaction instead.
import * as decoding from 'lib0/decoding'
import * as sync from 'y-protocols/sync'
import type { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { atMostEvery } from './frames.ts'

const messageSync = 0
const frameMs = 16

/** Makes a provider apply what it receives in batches; a single update waits for nothing. Call it before others wrap. */
export function batchUpdates(provider: WebsocketProvider): void {
  const original = provider.messageHandlers[messageSync]
  if (original === undefined) throw new Error('y-websocket has no sync handler')
  let waiting: Uint8Array[] = []

  function apply(): void {
    const updates = waiting
    waiting = []
    if (updates.length === 0) return
    const applyAll = () => {
      for (const update of updates) Y.applyUpdate(provider.doc, update, provider)
    }
    Y.transact(provider.doc, applyAll, provider, false)
  }

  const applySoon = atMostEvery(frameMs, apply)
  provider.messageHandlers[messageSync] = (encoder, decoder, handled, emitSynced, messageType) => {
    // The step is a varUint below 128: one byte.
    if (decoder.arr[decoder.pos] === sync.messageYjsUpdate) {
      decoding.readVarUint(decoder)
      waiting.push(decoding.readVarUint8Array(decoder))
      applySoon()
      return
    }
    // The handshake speaks of everything before it.
    apply()
    original(encoder, decoder, handled, emitSynced, messageType)
  }
}
