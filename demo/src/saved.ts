// Whether a pane's own edits are safe. The y-websocket protocol has no acknowledgement, but the server answers a
// SyncStep1 only after everything sent before it is durable. So a SyncStep1 after an edit is a barrier, and the
// SyncStep2 that answers it says "saved".
import * as encoding from 'lib0/encoding'
import * as sync from 'y-protocols/sync'
import type { WebsocketProvider } from 'y-websocket'
import { createSignal, type Signal } from './signal.ts'

export type SaveState =
  /** Nothing of one's own is waiting, and nothing has been: what is shown came from the server. */
  | { readonly phase: 'current' }
  | { readonly phase: 'saving'; readonly unsavedEdits: number }
  /** `roundTripMs` is the time from the last barrier to its answer. */
  | { readonly phase: 'saved'; readonly roundTripMs: number }
  /** Without a joined connection. */
  | { readonly phase: 'offline'; readonly unsavedEdits: number }

/** What is known about the present connection; a new one starts over. */
type Session = {
  /** The answer to the provider's own first SyncStep1 has come: it covers no edit, and no barrier is sent before it. */
  joined: boolean
  /** The server's SyncStep1 has been answered: only now have edits made offline been sent. */
  greeted: boolean
  /** At most one barrier is under way, so that an answer never has to be matched by counting. */
  barrier: { readonly edits: number; readonly sentAt: number } | null
}

const messageSync = 0
const quietMs = 150
const waitMaxMs = 1000

/** Watches the local edits of `provider.doc`; call it before the first edit and before the first message. */
export function followSaving(provider: WebsocketProvider): Signal<SaveState> {
  const state = createSignal<SaveState>({ phase: 'offline', unsavedEdits: 0 })
  let session: Session = newSession()
  let made = 0
  let confirmed = 0
  let roundTripMs: number | null = null
  let firstWaitingAt = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const isOpen = () => session.joined && session.greeted

  function show(): void {
    const unsavedEdits = made - confirmed
    if (!isOpen()) state.set({ phase: 'offline', unsavedEdits })
    else if (unsavedEdits > 0) state.set({ phase: 'saving', unsavedEdits })
    else if (roundTripMs === null) state.set({ phase: 'current' })
    else state.set({ phase: 'saved', roundTripMs })
  }

  /** Waits for a pause in typing, but not for ever: who never pauses must not stay unsaved. */
  function schedule(): void {
    clearTimeout(timer)
    const leftMs = Math.max(0, firstWaitingAt + waitMaxMs - performance.now())
    timer = setTimeout(sendBarrier, Math.min(quietMs, leftMs))
  }

  function sendBarrier(): void {
    const socket = provider.ws
    if (!isOpen() || session.barrier !== null || made === confirmed) return
    if (socket === null || socket.readyState !== socket.OPEN) return
    session.barrier = { edits: made, sentAt: performance.now() }
    socket.send(syncStep1(provider))
  }

  function localEdit(_update: Uint8Array, origin: unknown): void {
    if (origin === provider) return
    if (made === confirmed) firstWaitingAt = performance.now()
    made += 1
    show()
    schedule()
  }

  function stepOneReceived(): void {
    // The provider sends its answer when the handler has returned; a microtask runs right after that.
    const greeted = session
    queueMicrotask(() => {
      greeted.greeted = true
      opened()
    })
  }

  function stepTwoReceived(): void {
    if (!session.joined) {
      session.joined = true
      opened()
      return
    }
    if (session.barrier === null) return
    const { edits, sentAt } = session.barrier
    session.barrier = null
    confirmed = edits
    roundTripMs = performance.now() - sentAt
    firstWaitingAt = performance.now()
    show()
    if (made > confirmed) schedule()
  }

  function opened(): void {
    show()
    sendBarrier()
  }

  provider.doc.on('update', localEdit)
  provider.on('connection-close', () => {
    session = newSession()
    show()
  })
  watchSyncSteps(provider, { stepOneReceived, stepTwoReceived })
  return state
}

type SyncStepListeners = { stepOneReceived(): void; stepTwoReceived(): void }

/** Wraps this provider's own sync handler (each instance has its own list) to notice which step arrived. */
function watchSyncSteps(
  provider: WebsocketProvider,
  { stepOneReceived, stepTwoReceived }: SyncStepListeners
) {
  const original = provider.messageHandlers[messageSync]
  if (original === undefined) throw new Error('y-websocket has no sync handler')
  provider.messageHandlers[messageSync] = (encoder, decoder, handled, emitSynced, messageType) => {
    // The step is a varUint below 128: one byte, read here without moving the decoder.
    const step = decoder.arr[decoder.pos]
    original(encoder, decoder, handled, emitSynced, messageType)
    if (step === sync.messageYjsSyncStep1) stepOneReceived()
    if (step === sync.messageYjsSyncStep2) stepTwoReceived()
  }
}

function syncStep1(provider: WebsocketProvider): Uint8Array<ArrayBuffer> {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, messageSync)
  sync.writeSyncStep1(encoder, provider.doc)
  return encoding.toUint8Array(encoder)
}

function newSession(): Session {
  return { joined: false, greeted: false, barrier: null }
}
