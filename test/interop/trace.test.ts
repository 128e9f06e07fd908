/**
 * A real editing session replayed through the running server, one client per agent, then again from the disk after a
 * SIGKILL. CHORUS_TRACES names trace files, comma-separated; without it a generated session is replayed.
 */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { barrier, type Client, connect, synced, until } from '../support/clients.ts'
import { spawnServer, temporaryDirectory } from '../support/server.ts'
import { applyPatches, generateTrace, readTrace, type Trace } from '../support/trace.ts'

const seed = Number(process.env.SEED ?? 20_261_122)
const paths = (process.env.CHORUS_TRACES ?? '').split(',').filter(path => path !== '')
const traces = paths.length > 0 ? paths.map(readTrace) : [generateTrace({ seed, count: 3_000 })]

/**
 * An author at the keyboard: types into `replica`, which sees of the others exactly what the trace says, and only once
 * the server has brought it to `client`. `typed` is what each of its transactions came to, `seen` how much of whom it
 * knows.
 */
type Agent = {
  readonly client: Client
  readonly replica: Y.Doc
  readonly typed: Uint8Array[]
  readonly seen: Map<Agent, number>
}

test.each(traces)(
  '$name replayed through the server is there after SIGKILL and restart',
  { timeout: 300_000 },
  async trace => {
    const data = temporaryDirectory()
    const server = await spawnServer(['--port', '0', '--data', data])
    const agents = await Promise.all(
      Array.from({ length: trace.agents }, (_, index) => startAgent(server.url, index + 1))
    )

    const expected = await replay(trace, agents)
    await Promise.all(agents.map(({ client }) => barrier(client)))
    const fresh = await readFresh(server.url)
    await server.kill()
    const restarted = await spawnServer(['--port', '0', '--data', data])
    const afterRestart = await readFresh(restarted.url)

    expect(fresh === expected, `seed ${seed}`).toBe(true)
    expect(afterRestart === expected, `seed ${seed}`).toBe(true)
    expect(afterRestart === trace.endContent, `seed ${seed}`).toBe(true)
  }
)

/** Text inserted at one place at the same time is ordered by clientID, so that of an agent is given. */
async function startAgent(url: string, clientID: number): Promise<Agent> {
  const client = connect(url, 'trace')
  onTestFinished(client.destroy)
  await synced(client)
  const replica = new Y.Doc()
  replica.clientID = clientID
  const agent: Agent = { client, replica, typed: [], seen: new Map() }
  replica.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin === 'remote') return
    agent.typed.push(update)
    Y.applyUpdate(client.doc, update, 'typed')
  })
  return agent
}

/** Returns the text that all agree on at the end. */
async function replay(trace: Trace, agents: readonly Agent[]): Promise<string> {
  const ends: { author: Agent; count: number }[] = []
  for (const { agent: index, parents, patches } of trace.transactions) {
    const agent = agents[index] as Agent
    for (const parent of parents) await see(agent, ends[parent] as (typeof ends)[0])
    agent.replica.transact(() => applyPatches(agent.replica.getText('t'), patches))
    ends.push({ author: agent, count: agent.typed.length })
  }
  const first = agents[0] as Agent
  for (const { replica } of agents) Y.applyUpdate(first.replica, Y.encodeStateAsUpdate(replica), 'remote')
  return first.replica.getText('t').toString()
}

/** Lets an agent see another's first `count` updates, once the server has brought them. */
async function see(agent: Agent, { author, count }: { author: Agent; count: number }): Promise<void> {
  const seen = agent.seen.get(author) ?? 0
  if (author === agent || seen >= count) return
  const updates = author.typed.slice(seen, count)
  await until(() => holds(agent.client.doc, updates), 'the updates of the other agent')
  for (const update of updates) Y.applyUpdate(agent.replica, update, 'remote')
  agent.seen.set(author, count)
}

/** Whether the document contains the updates, deletions included. */
function holds(doc: Y.Doc, updates: readonly Uint8Array[]): boolean {
  const last = updates.at(-1) as Uint8Array
  for (const [client, clock] of Y.parseUpdateMeta(last).to)
    if (Y.getState(doc.store, client) < clock) return false
  const snapshot = Y.snapshot(doc)
  return updates.every(update => Y.snapshotContainsUpdate(snapshot, update))
}

async function readFresh(url: string): Promise<string> {
  const client = connect(url, 'trace')
  onTestFinished(client.destroy)
  await synced(client)
  return client.doc.getText('t').toString()
}
