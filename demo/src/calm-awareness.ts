// An awareness that tells its changes a few times a second. Editors redraw every cursor at every change, and with two
// hundred people in a room something changes all the time.
import type { Awareness } from 'y-protocols/awareness'
import { atMostEvery } from './frames.ts'

type Changes = { added: number[]; updated: number[]; removed: number[] }
type Listener = (changes: Changes, origin: unknown) => void

const intervalMs = 50

/** Returns what an editor binding uses of `awareness`; states are read and written as they are, only told later. */
export function calmAwareness(awareness: Awareness): Awareness {
  const listeners = new Set<Listener>()
  const changed = new Map<number, keyof Changes>()
  const tell = atMostEvery(intervalMs, () => {
    const changes: Changes = { added: [], updated: [], removed: [] }
    for (const [clientID, kind] of changed) changes[kind].push(clientID)
    changed.clear()
    for (const listener of [...listeners]) listener(changes, 'calm')
  })
  awareness.on('change', (changes: Changes) => {
    for (const kind of ['added', 'updated', 'removed'] as const) {
      for (const clientID of changes[kind]) changed.set(clientID, kind)
    }
    tell()
  })
  const calm: Pick<
    Awareness,
    'clientID' | 'doc' | 'getLocalState' | 'getStates' | 'setLocalState' | 'setLocalStateField'
  > & { on(name: 'change', listener: Listener): void; off(name: 'change', listener: Listener): void } = {
    clientID: awareness.clientID,
    doc: awareness.doc,
    getLocalState: () => awareness.getLocalState(),
    getStates: () => awareness.getStates(),
    setLocalState: state => awareness.setLocalState(state),
    setLocalStateField: (field, value) => awareness.setLocalStateField(field, value),
    on: (_name, listener) => void listeners.add(listener),
    off: (_name, listener) => void listeners.delete(listener)
  }
  // All that y-codemirror.next calls; a whole Awareness would keep timers of its own.
  return calm as unknown as Awareness
}
