/**
 * What a node says of itself at every beat, as bytes: that it is there, and how much its rooms have told of presence.
 *
 *   beat  := 01, varUint m, m × varString node, n × entry
 *   entry := key (8 bytes), varUint epoch, varUint told + 1 (0: the room has ended)
 *
 * The nodes are those heard for the first time, or again: they are to name all of their rooms. The key is the beginning
 * of the SHA-256 of the document's name.
 */
import { createHash } from 'node:crypto'
import { Reader } from '../base/reader.ts'
import { ByteWriter } from '../document/byte-writer.ts'

/** `told`: the number up to which the room has told, or null when it has ended. `key` is in hexadecimal digits. */
export type BeatEntry = { readonly key: string; readonly epoch: number; readonly told: number | null }

export type Beat = { readonly newNodes: readonly string[]; readonly entries: readonly BeatEntry[] }

const version = 1
const keyBytes = 8
const entryBytesMax = keyBytes + 16

export function keyOf(document: string): string {
  return createHash('sha256')
    .update(document)
    .digest('hex')
    .slice(0, keyBytes * 2)
}

/** New nodes in one beat; the others are named in a later one. Their ids are no longer than this. */
export const newNodesMax = 16
const nodeBytesMax = 70

/** At least one message, with nothing in it if need be: it says that the node is there. */
export function writeBeats({ newNodes, entries }: Beat, bytesMax: number): Uint8Array[] {
  const each = Math.max(1, Math.floor((bytesMax - newNodesMax * nodeBytesMax) / entryBytesMax))
  const beats: Uint8Array[] = []
  for (let i = 0; i === 0 || i < entries.length; i += each) {
    beats.push(writeBeat({ newNodes: i === 0 ? newNodes : [], entries: entries.slice(i, i + each) }))
  }
  return beats
}

function writeBeat({ newNodes, entries }: Beat): Uint8Array {
  const writer = new ByteWriter(64 + entries.length * entryBytesMax)
  writer.writeByte(version)
  writer.writeVarUint(newNodes.length)
  for (const node of newNodes) writer.writeString(node)
  for (const { key, epoch, told } of entries) {
    writer.writeRange(Buffer.from(key, 'hex'), 0, keyBytes)
    writer.writeVarUint(epoch)
    writer.writeVarUint(told === null ? 0 : told + 1)
  }
  return writer.finish()
}

/** Of a later version nothing but that the node is there. Throws ERR_BAD_MESSAGE when it is no beat. */
export function readBeat(bytes: Uint8Array): Beat {
  const reader = new Reader(bytes)
  const newNodes: string[] = []
  const entries: BeatEntry[] = []
  if (reader.varUint() !== version) return { newNodes, entries }
  for (let count = reader.varUint(); count > 0; count--) newNodes.push(reader.string())
  while (!reader.isAtEnd) {
    const key = Buffer.from(reader.bytes(keyBytes)).toString('hex')
    const epoch = reader.varUint()
    const told = reader.varUint()
    entries.push({ key, epoch, told: told === 0 ? null : told - 1 })
  }
  return { newNodes, entries }
}
