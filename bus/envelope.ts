/**
 * The bytes of a message between nodes that do not trust the bus: who sent it, the how-manyeth of that sender it is, and a
 * proof that the sender has the cluster's key. The proof covers the topic, so that nobody can move a message to another one.
 *
 *   envelope := 01, cluster (8 bytes), length of node u8, node, counter u48, proof (16 bytes), payload
 *   proof    := the first 16 bytes of HMAC-SHA-256(key, label, cluster id, topic, envelope without its proof)
 */
import { createHash, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { asBuffer } from './bytes.ts'

const version = 1
const label = 'y-chorus bus 1'
const clusterBytes = 8
const counterBytes = 6
const proofBytes = 16

export type Envelope = {
  readonly node: string
  readonly counter: number
  /** Lies in the bytes that were read. */
  readonly payload: Uint8Array
}

/** What every message of a cluster has in common. */
export type Seal = { readonly clusterId: string; readonly tag: Buffer; readonly key: KeyObject }

export function sealOf(clusterId: string, key: KeyObject): Seal {
  return { clusterId, tag: createHash('sha256').update(clusterId).digest().subarray(0, clusterBytes), key }
}

/** How much longer than its payload a message of this node is. */
export function overheadOf(node: string): number {
  return 1 + clusterBytes + 1 + Buffer.byteLength(node) + counterBytes + proofBytes
}

export function writeEnvelope(seal: Seal, topic: string, { node, counter, payload }: Envelope): Buffer {
  const overhead = overheadOf(node)
  const bytes = Buffer.allocUnsafe(overhead + payload.length)
  bytes[0] = version
  seal.tag.copy(bytes, 1)
  const nodeAt = 1 + clusterBytes + 1
  bytes[nodeAt - 1] = bytes.write(node, nodeAt)
  const proofAt = overhead - proofBytes
  bytes.writeUIntBE(counter, proofAt - counterBytes, counterBytes)
  bytes.set(payload, overhead)
  proofOf(seal, topic, { head: bytes.subarray(0, proofAt), payload }).copy(bytes, proofAt)
  return bytes
}

/** `foreign`: of another cluster. `forged`: the proof is wrong. `malformed`: no envelope, or a version of the future. */
export function readEnvelope(
  seal: Seal,
  topic: string,
  given: Uint8Array
): Envelope | 'malformed' | 'foreign' | 'forged' {
  const bytes = asBuffer(given)
  const nodeAt = 1 + clusterBytes + 1
  if (bytes.length < nodeAt || bytes[0] !== version) return 'malformed'
  const proofAt = nodeAt + (bytes[nodeAt - 1] ?? 0) + counterBytes
  if (bytes.length < proofAt + proofBytes) return 'malformed'
  if (!bytes.subarray(1, 1 + clusterBytes).equals(seal.tag)) return 'foreign'
  const payload = bytes.subarray(proofAt + proofBytes)
  const proof = proofOf(seal, topic, { head: bytes.subarray(0, proofAt), payload })
  if (!timingSafeEqual(proof, bytes.subarray(proofAt, proofAt + proofBytes))) return 'forged'
  return {
    node: bytes.toString('utf8', nodeAt, proofAt - counterBytes),
    counter: bytes.readUIntBE(proofAt - counterBytes, counterBytes),
    payload
  }
}

/** Each text with its length in front: no two different ones are the same bytes. */
function proofOf(
  { clusterId, key }: Seal,
  topic: string,
  { head, payload }: { head: Buffer; payload: Uint8Array }
): Buffer {
  const names = JSON.stringify([label, clusterId, topic])
  return createHmac('sha256', key)
    .update(`${Buffer.byteLength(names)}:${names}`)
    .update(head)
    .update(payload)
    .digest()
    .subarray(0, proofBytes)
}
