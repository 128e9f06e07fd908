/** What a document of Yjs holds: the clocks of each client, and which of them are deleted. */
import * as Y from 'yjs'
import { ClockRuns } from '../document/clocks.ts'

export type Held = { readonly structs: ClockRuns; readonly deletes: ClockRuns }

/** Also what came deleted. What is pending is not held. */
export function heldBy(doc: Y.Doc): Held {
  const structs = new ClockRuns()
  const deletes = new ClockRuns()
  for (const [client, end] of Y.decodeStateVector(Y.encodeStateVector(doc))) structs.add(client, 0, end)
  for (const [client, ranges] of Y.createDeleteSetFromStructStore(doc.store).clients) {
    deletes.addAll(ranges.map(({ clock, len }) => ({ client, clock, length: len })))
  }
  return { structs, deletes }
}
