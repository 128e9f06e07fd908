/** The real awareness of y-protocols with its timer on the run's clock. */
import { Awareness, outdatedTimeout, removeAwarenessStates } from 'y-protocols/awareness'
import type * as Y from 'yjs'

type Changes = { readonly added: number[]; readonly updated: number[]; readonly removed: number[] }

export type VirtualAwareness = {
  readonly awareness: Awareness
  /** To be called every three seconds: renews the own state, and forgets those not renewed. A hidden tab seldom does. */
  tick(): void
}

/** Browsers run the timers of a hidden tab once a minute. Every third page is in one; drawn from nothing, for old seeds. */
const ticksWhileHidden = 20
const isHidden = ({ clientID }: Y.Doc) => clientID % 3 === 0

export function createAwareness(doc: Y.Doc, nowMs: () => number): VirtualAwareness {
  const awareness = new Awareness(doc)
  // Its own timer would run on the real clock; `tick` does the same on ours.
  clearInterval(awareness._checkInterval)
  const updatedAtMs = new Map<number, number>([[doc.clientID, nowMs()]])
  awareness.on('update', ({ added, updated }: Changes) => {
    for (const clientID of [...added, ...updated]) updatedAtMs.set(clientID, nowMs())
  })
  let ticks = 0
  return {
    awareness,
    tick: () => {
      if (isHidden(doc) && ++ticks % ticksWhileHidden !== 0) return
      const isOld = (clientID: number, ms: number) => ms <= nowMs() - (updatedAtMs.get(clientID) ?? 0)
      const own = awareness.getLocalState()
      if (own !== null && isOld(doc.clientID, outdatedTimeout / 2)) awareness.setLocalState(own)
      const others = [...awareness.getStates().keys()].filter(clientID => clientID !== doc.clientID)
      const outdated = others.filter(clientID => isOld(clientID, outdatedTimeout))
      if (outdated.length > 0) removeAwarenessStates(awareness, outdated, 'timeout')
    }
  }
}
