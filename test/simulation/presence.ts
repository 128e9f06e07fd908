/** The real awareness of y-protocols with its timer on the run's clock. */
import { Awareness, outdatedTimeout, removeAwarenessStates } from 'y-protocols/awareness'
import type * as Y from 'yjs'

type Changes = { readonly added: number[]; readonly updated: number[]; readonly removed: number[] }

export type VirtualAwareness = {
  readonly awareness: Awareness
  /** To be called every three seconds: renews the own state, and forgets those not renewed. */
  tick(): void
}

export function createAwareness(doc: Y.Doc, nowMs: () => number): VirtualAwareness {
  const awareness = new Awareness(doc)
  // Its own timer would run on the real clock; `tick` does the same on ours.
  clearInterval(awareness._checkInterval)
  const updatedAtMs = new Map<number, number>([[doc.clientID, nowMs()]])
  awareness.on('update', ({ added, updated }: Changes) => {
    for (const clientID of [...added, ...updated]) updatedAtMs.set(clientID, nowMs())
  })
  return {
    awareness,
    tick: () => {
      const isOld = (clientID: number, ms: number) => ms <= nowMs() - (updatedAtMs.get(clientID) ?? 0)
      const own = awareness.getLocalState()
      if (own !== null && isOld(doc.clientID, outdatedTimeout / 2)) awareness.setLocalState(own)
      const others = [...awareness.getStates().keys()].filter(clientID => clientID !== doc.clientID)
      const outdated = others.filter(clientID => isOld(clientID, outdatedTimeout))
      if (outdated.length > 0) removeAwarenessStates(awareness, outdated, 'timeout')
    }
  }
}
