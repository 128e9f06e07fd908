// What a Hocuspocus provider's events mean to a person looking at the page: the connection, and whether one's own
// edits are safe. The server acknowledges each update when it is on disk, so the provider's count of unsynced changes
// is the count of unsaved ones.
import type { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider4'
import type { ConnectionState } from './connection.ts'
import type { SaveState } from './saved.ts'
import { createSignal, type Signal } from './signal.ts'

export type HocuspocusState = {
  readonly connection: Signal<ConnectionState>
  readonly saving: Signal<SaveState>
}

/** Follows a provider before its first connection and before the first edit. */
export function followHocuspocus(
  provider: HocuspocusProvider,
  socket: HocuspocusProviderWebsocket
): HocuspocusState {
  const connection = followConnection(provider, socket)
  return { connection, saving: followSaving(provider) }
}

function followConnection(
  provider: HocuspocusProvider,
  socket: HocuspocusProviderWebsocket
): Signal<ConnectionState> {
  const state = createSignal<ConnectionState>({ phase: 'connecting' })
  let failures = 0
  let refusal: string | null = null

  socket.on('status', ({ status }: { status: string }) => {
    if (status !== 'connecting') return
    refusal = null
    if (failures === 0) state.set({ phase: 'connecting' })
  })
  provider.on('synced', () => {
    failures = 0
    state.set({ phase: 'online' })
  })
  // The connection stays open then, but nothing goes through it.
  provider.on('authenticationFailed', ({ reason }: { reason: string }) => {
    refusal = reason
    socket.disconnect()
  })
  socket.on('disconnect', () => {
    if (refusal !== null) state.set({ phase: 'refused', reason: refusal })
    else if (!socket.shouldConnect) state.set({ phase: 'cut' })
    else {
      failures += 1
      state.set({ phase: 'retrying', failures })
      return
    }
    failures = 0
  })
  return state
}

function followSaving(provider: HocuspocusProvider): Signal<SaveState> {
  const state = createSignal<SaveState>({ phase: 'offline', unsavedEdits: 0 })
  let made = 0
  let confirmed = 0
  let sentAt = 0
  let roundTripMs: number | null = null

  function show(): void {
    const unsavedEdits = made - confirmed
    if (!provider.isSynced) state.set({ phase: 'offline', unsavedEdits })
    else if (unsavedEdits > 0) state.set({ phase: 'saving', unsavedEdits })
    else if (roundTripMs === null) state.set({ phase: 'current' })
    else state.set({ phase: 'saved', roundTripMs })
  }

  provider.document.on('update', (_update: Uint8Array, origin: unknown) => {
    if (origin === provider) return
    made += 1
    sentAt = performance.now()
    show()
  })
  // A new connection sends again whatever the server lacks.
  provider.on('open', () => {
    sentAt = performance.now()
  })
  provider.on('unsyncedChanges', ({ number }: { number: number }) => {
    if (number === 0 && made > confirmed) {
      confirmed = made
      roundTripMs = performance.now() - sentAt
    }
    show()
  })
  provider.on('synced', show)
  // The provider calls itself unsynced before it tells.
  provider.on('close', show)
  return state
}
