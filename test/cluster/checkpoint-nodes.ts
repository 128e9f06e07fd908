/** Nodes on one PostgreSQL, whose stores note which checkpoints they have written. */
import { afterAll, beforeAll, beforeEach, onTestFinished } from 'vitest'
import type { MemoryBroker } from '../../bus/index.ts'
import { openPostgresStore, type PostgresStoreOptions } from '../../persistence/postgres/postgres-store.ts'
import type { CheckpointRequest, Store } from '../../persistence/store.ts'
import type { ServerOptions } from '../../src/server.ts'
import { type Client, type ClientOptions, connect, synced } from '../support/clients.ts'
import { startNode, type TestNode } from '../support/sealed-nodes.ts'
import { type Postgres, startPostgres } from '../support/services/postgres.ts'

export type Node = TestNode & {
  /** Those that became a checkpoint, in order. */
  readonly written: CheckpointRequest[]
}

export type NodeSettings = Pick<ServerOptions, 'limits' | 'load' | 'history'> & {
  readonly store?: PostgresStoreOptions
}

/**
 * A PostgreSQL for the tests of the `describe` that this is called in, and in it an address of its own for each of them,
 * which is known while the test runs.
 */
export function postgresFor(name: string): { readonly postgres: Postgres; readonly address: string } {
  let postgres: Postgres
  let made = 0
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())
  beforeEach(() => void made++)
  return {
    get postgres() {
      return postgres
    },
    get address() {
      return postgres.url(`${name}_${made}`)
    }
  }
}

/** A node for each of the settings, on the store at this address; stopped when the test ends. */
export async function startNodes(
  address: string,
  broker: MemoryBroker,
  settings: readonly NodeSettings[]
): Promise<Node[]> {
  const nodes: Node[] = []
  for (const { store: options = {}, ...rest } of settings) {
    const store = await openPostgresStore(address, options)
    const written = noteCheckpoints(store)
    const place = { broker, name: store.node, clusterId: address }
    nodes.push({ ...(await startNode(store, place, rest)), written })
  }
  return nodes
}

function noteCheckpoints(store: Store): CheckpointRequest[] {
  const written: CheckpointRequest[] = []
  const checkpoint = store.checkpoint.bind(store)
  store.checkpoint = async request => {
    const result = await checkpoint(request)
    if (result.outcome === 'written') written.push(request)
    return result
  }
  return written
}

/** A client that ends with the test, and the codes that its connections were closed with. */
export function client(
  node: Node | undefined,
  room: string,
  options: ClientOptions = {}
): Client & { codes: number[] } {
  const made = connect(node?.url ?? '', room, options)
  const codes: number[] = []
  made.provider.on('connection-close', event => codes.push(event?.code ?? 0))
  onTestFinished(made.destroy)
  return { ...made, codes }
}

export async function joined(node: Node | undefined, room: string): ReturnType<typeof joinedAs> {
  return joinedAs(client(node, room))
}

async function joinedAs(made: ReturnType<typeof client>) {
  await synced(made)
  return made
}

export const text = ({ doc }: Pick<Client, 'doc'>): string => doc.getText('t').toString()

export const type = ({ doc }: Pick<Client, 'doc'>, word: string): void => doc.getText('t').insert(0, word)

/** The words that were typed, each with a blank behind. */
export const words = (of: Pick<Client, 'doc'>): string[] =>
  text(of)
    .split(' ')
    .filter(word => word !== '')
