/**
 * Who sees whom after a fault. Each is seen by everybody of its document, with its latest state, and nobody else is: not
 * those who left during the fault. How long that takes is measured; Yjs clients forget after 30 s by themselves who says
 * nothing, so a ghost must be gone before that.
 */
import type { Awareness } from 'y-protocols/awareness'
import { connect, synced, until } from '../support/clients.ts'
import type { Cluster } from '../support/cluster.ts'
import type { Writer } from '../support/writer.ts'

/** Below the 30 s of the clients, so that it is the nodes that took a ghost away. */
const ghostMsMax = 25_000

/** By clientID, states as JSON. */
type Seen = ReadonlyMap<number, string>

/** Rejects with who sees what; they must have said their last. */
export async function untilPresenceIsRight(people: readonly Writer[], where: string): Promise<void> {
  const expected = statesOf(people)
  const wrongs = () => people.flatMap(each => differences(expected, seenBy(each.awareness), each.name))
  await until(() => wrongs().length === 0, `presence in ${where}`, ghostMsMax).catch(error => {
    throw new Error(`${String(error)}: ${wrongs().join('; ')}`)
  })
}

/** What whoever comes to a node now is shown. */
export async function checkPresenceOfNewcomers(
  cluster: Cluster,
  room: string,
  people: readonly Writer[]
): Promise<void> {
  const expected = statesOf(people)
  for (const node of cluster.nodes) {
    const newcomer = connect(node.url(), room)
    newcomer.provider.awareness.setLocalState(null)
    try {
      await synced(newcomer)
      const wrongs = () =>
        differences(expected, seenBy(newcomer.provider.awareness), `a newcomer at ${node.name}`)
      await until(() => wrongs().length === 0, `presence in ${room}`, ghostMsMax).catch(error => {
        throw new Error(`${String(error)}: ${wrongs().join('; ')}`)
      })
    } finally {
      newcomer.destroy()
    }
  }
}

function statesOf(people: readonly Writer[]): Seen {
  const stateOf = ({ awareness }: Writer) => JSON.stringify(awareness.getLocalState())
  return new Map(people.map(each => [each.awareness.clientID, stateOf(each)]))
}

function seenBy(awareness: Awareness): Seen {
  return new Map([...awareness.getStates()].map(([clientID, state]) => [clientID, JSON.stringify(state)]))
}

function differences(expected: Seen, seen: Seen, who: string): string[] {
  const missing = [...expected].filter(([clientID]) => !seen.has(clientID))
  const stale = [...expected].filter(([clientID, state]) => (seen.get(clientID) ?? state) !== state)
  const ghosts = [...seen].filter(([clientID]) => !expected.has(clientID))
  return [
    ...missing.map(([, state]) => `${who} does not see ${state}`),
    ...stale.map(([clientID, state]) => `${who} sees ${seen.get(clientID)} where ${state} is`),
    ...ghosts.map(([clientID, state]) => `${who} sees the ghost ${clientID} ${state}`)
  ]
}
