// Who deleted: an update that only deletes says whose items went, not who took them away. What a pane of this page sent
// a moment ago is recognised when another pane receives the same bytes.

export type Deleters = {
  note(update: Uint8Array, clientID: number): void
  find(update: Uint8Array): number | null
}

const keptMax = 100
/** Longer ones are not worth the memory: they come from offline work. */
const bytesMax = 1000

export function createDeleters(): Deleters {
  const known = new Map<string, number>()
  return {
    note(update, clientID) {
      if (update.length > bytesMax) return
      known.set(update.join(), clientID)
      const oldest = known.keys().next()
      if (known.size > keptMax && oldest.done !== true) known.delete(oldest.value)
    },
    find: update => (update.length > bytesMax ? null : (known.get(update.join()) ?? null))
  }
}
