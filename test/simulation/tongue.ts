/** What tells a page that speaks Hocuspocus from one that speaks y-websocket, on the wire. */
import { createDecoder, readTailAsUint8Array, readVarString } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeUint8Array, writeVarString, writeVarUint } from 'lib0/encoding'

export type Tongue = {
  readonly name: 'y-websocket' | 'hocuspocus'
  /** Remote states are sent back as they come: all but Hocuspocus 4.5 and later do that. */
  readonly echoes: boolean
  /** Where it connects to: the room's own path, the root, or one that names something else. */
  readonly document: (room: string) => string | null
  readonly wrap: (message: Uint8Array) => Uint8Array
  /** Null when it is for somebody else. */
  readonly unwrap: (bytes: Uint8Array) => Uint8Array | null
}

export const yWebsocket: Tongue = {
  name: 'y-websocket',
  echoes: true,
  document: room => room,
  wrap: message => message,
  unwrap: bytes => bytes
}

export function hocuspocus(
  address: string,
  { echoes, path }: { echoes: boolean; path: string | null }
): Tongue {
  return {
    name: 'hocuspocus',
    echoes,
    document: () => path,
    wrap: message => {
      const encoder = createEncoder()
      writeVarString(encoder, address)
      writeUint8Array(encoder, message)
      return toUint8Array(encoder)
    },
    unwrap: bytes => {
      const decoder = createDecoder(bytes)
      return readVarString(decoder) === address ? readTailAsUint8Array(decoder) : null
    }
  }
}

export const closeMessage = Uint8Array.of(7)

export function authMessage(token: string): Uint8Array {
  const encoder = createEncoder()
  writeVarUint(encoder, 2)
  writeVarUint(encoder, 0)
  writeVarString(encoder, token)
  return toUint8Array(encoder)
}
