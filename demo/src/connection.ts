// What a y-websocket provider's events mean to a person looking at the page.
import type { WebsocketProvider } from 'y-websocket'
import { createSignal, type Signal } from './signal.ts'

export type ConnectionState =
  /** On the way for the first time, or again after the switch was turned on. */
  | { readonly phase: 'connecting' }
  /** Connected, and everything the server had has arrived. */
  | { readonly phase: 'online' }
  /** Cut off by the switch; nothing is tried. */
  | { readonly phase: 'cut' }
  /** The connection was lost or never came about; the provider tries again by itself. */
  | { readonly phase: 'retrying'; readonly failures: number }
  /** The server closed with a code that makes clients stop (4400 to 4499). */
  | { readonly phase: 'refused'; readonly reason: string }

/** Follows a provider created with `connect: false` or just now, before its first event. */
export function followConnection(provider: WebsocketProvider): Signal<ConnectionState> {
  const state = createSignal<ConnectionState>({ phase: provider.shouldConnect ? 'connecting' : 'cut' })
  let failures = 0

  provider.on('status', ({ status }) => {
    if (status === 'connecting' && failures === 0) state.set({ phase: 'connecting' })
  })
  provider.on('sync', isSynced => {
    if (!isSynced) return
    failures = 0
    state.set({ phase: 'online' })
  })
  // `event` is null when we closed it: by the switch, or because the server fell silent.
  provider.on('connection-close', event => {
    if (event === null && !provider.shouldConnect) {
      failures = 0
      state.set({ phase: 'cut' })
      return
    }
    failures += 1
    state.set({ phase: 'retrying', failures })
  })
  provider.on('closed', ({ code, reason }) => {
    failures = 0
    state.set({ phase: 'refused', reason: reason === '' ? `code ${code}` : reason })
  })
  return state
}
