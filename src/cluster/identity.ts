/**
 * Who a cluster is: an id and a key, kept by the store, so that whoever may read the documents, and nobody else, can speak
 * for a node. The key is never logged or shown.
 */
import { randomBytes } from 'node:crypto'
import type { MetadataStore } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'

export type ClusterIdentity = {
  readonly id: string
  /** 32 random bytes. */
  readonly key: Uint8Array
}

type Metadata = Pick<MetadataStore, 'readMetadata' | 'swapMetadata'>

/** Where it lies in the store's metadata. */
const metadataKey = 'cluster'

const keyBytes = 32

/**
 * The store's identity; it is made where there is none. Nodes that start at once agree: one of them makes it. Rejects with
 * what the store rejects with, and with ERR_INTERNAL for what cannot be read: a made-up one would split the cluster.
 */
export async function clusterIdentity(store: Metadata): Promise<ClusterIdentity> {
  const stored = await store.readMetadata(metadataKey)
  if (stored !== null) return parse(stored)
  const made = encode(newIdentity())
  if (await store.swapMetadata(metadataKey, null, made)) return parse(made)
  return clusterIdentity(store)
}

/**
 * Gives the store another identity, for a copy that is to be a cluster of its own. Nodes that run keep the one they have
 * read. Resolves to the new id.
 */
export async function renewClusterIdentity(store: Metadata): Promise<string> {
  const identity = newIdentity()
  const present = await store.readMetadata(metadataKey)
  if (await store.swapMetadata(metadataKey, present, encode(identity))) return identity.id
  return renewClusterIdentity(store)
}

function newIdentity(): ClusterIdentity {
  return { id: randomBytes(12).toString('base64url'), key: new Uint8Array(randomBytes(keyBytes)) }
}

function encode({ id, key }: ClusterIdentity): Uint8Array {
  return Buffer.from(JSON.stringify({ version: 1, id, key: Buffer.from(key).toString('base64') }))
}

/** What is wrong is not repeated: a part of it is the key. */
function parse(stored: Uint8Array): ClusterIdentity {
  const { version, id, key } = fieldsOf(stored)
  if (version === 1 && typeof id === 'string' && id !== '' && typeof key === 'string') {
    const bytes = new Uint8Array(Buffer.from(key, 'base64'))
    if (bytes.length === keyBytes) return { id, key: bytes }
  }
  throw new Fault('ERR_INTERNAL', `what the store has under ${metadataKey} cannot be read`)
}

function fieldsOf(stored: Uint8Array): Record<string, unknown> {
  try {
    return { ...(JSON.parse(Buffer.from(stored).toString()) as object) }
  } catch {
    return {}
  }
}
