/** A bare WebSocket that speaks Hocuspocus by hand, for one or several routing keys. */
import { createDecoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeVarString, writeVarUint, writeVarUint8Array } from 'lib0/encoding'
import { until } from './clients.ts'
import { openRaw, type Raw } from './raw.ts'

/** What the server said to one routing key, in words: `saved`, `update 3 bytes`, `denied: reason`, … */
export type Said = { readonly routingKey: string; readonly what: string; readonly payload: Uint8Array }

export type RawHocuspocus = {
  readonly raw: Raw
  readonly said: () => readonly Said[]
  /** What was said to a routing key, without payloads. */
  heard(routingKey: string): readonly string[]
  /** Sends Auth, SyncStep1 and the empty SyncStep2 that answers ours; resolves when the join is over and receipted. */
  join(routingKey: string, token?: string): Promise<void>
}

/** An open connection to the root of the server, or to another path. */
export async function openHocuspocus(
  url: string,
  path = '',
  headers: Readonly<Record<string, string>> = {}
): Promise<RawHocuspocus> {
  const raw = await openRaw({ url, path, headers })
  const said = () => raw.frames.map(takeApart)
  const heard = (routingKey: string) =>
    said().flatMap(each => (each.routingKey === routingKey ? [each.what] : []))
  return {
    raw,
    said,
    heard,
    join: async (routingKey, token = '') => {
      raw.send(authFrame(routingKey, token), step1Frame(routingKey))
      await until(
        () => heard(routingKey).includes('sync-step-1') || raw.closeCode() !== null,
        'the SyncStep1 of the server'
      )
      raw.send(step2Frame(routingKey, Uint8Array.of(0, 0)))
      await until(
        () => heard(routingKey).includes('saved') || raw.closeCode() !== null,
        'the end of the join'
      )
      if (raw.closeCode() !== null) throw new Error(`closed with ${raw.closeCode()} during the join`)
    }
  }
}

export function authFrame(routingKey: string, token: string, version?: string): Uint8Array {
  return frame(routingKey, encoder => {
    writeVarUint(encoder, 2)
    writeVarUint(encoder, 0)
    writeVarString(encoder, token)
    if (version !== undefined) writeVarString(encoder, version)
  })
}

export function step1Frame(routingKey: string, stateVector: Uint8Array = Uint8Array.of(0)): Uint8Array {
  return syncFrame(routingKey, 0, stateVector)
}

export function step2Frame(routingKey: string, update: Uint8Array): Uint8Array {
  return syncFrame(routingKey, 1, update)
}

export function updateFrameOf(routingKey: string, update: Uint8Array): Uint8Array {
  return syncFrame(routingKey, 2, update)
}

export function closeFrame(routingKey: string): Uint8Array {
  return frame(routingKey, encoder => writeVarUint(encoder, 7))
}

export function statelessFrame(routingKey: string, payload: string): Uint8Array {
  return frame(routingKey, encoder => {
    writeVarUint(encoder, 5)
    writeVarString(encoder, payload)
  })
}

function syncFrame(routingKey: string, step: number, payload: Uint8Array): Uint8Array {
  return frame(routingKey, encoder => {
    writeVarUint(encoder, 0)
    writeVarUint(encoder, step)
    writeVarUint8Array(encoder, payload)
  })
}

function frame(routingKey: string, write: (encoder: ReturnType<typeof createEncoder>) => void): Uint8Array {
  const encoder = createEncoder()
  writeVarString(encoder, routingKey)
  write(encoder)
  return toUint8Array(encoder)
}

const nothing = new Uint8Array(0)

export function takeApart(bytes: Uint8Array): Said {
  if (bytes.length === 1) return { routingKey: '', what: bytes[0] === 10 ? 'pong' : 'ping', payload: nothing }
  const decoder = createDecoder(bytes)
  const routingKey = readVarString(decoder)
  const type = readVarUint(decoder)
  switch (type) {
    case 0: {
      const what = ['sync-step-1', 'sync-step-2', 'update'][readVarUint(decoder)] ?? 'unknown'
      return { routingKey, what, payload: readVarUint8Array(decoder) }
    }
    case 1:
      return { routingKey, what: 'awareness', payload: readVarUint8Array(decoder) }
    case 2: {
      const name = ['token?', 'denied', 'authenticated'][readVarUint(decoder)]
      if (name === 'token?') return { routingKey, what: name, payload: nothing }
      return { routingKey, what: `${name}: ${readVarString(decoder)}`, payload: nothing }
    }
    case 5:
      return { routingKey, what: `stateless: ${readVarString(decoder)}`, payload: nothing }
    case 7:
      return { routingKey, what: `close: ${readVarString(decoder)}`, payload: nothing }
    case 8:
      return { routingKey, what: readVarUint(decoder) === 1 ? 'saved' : 'not saved', payload: nothing }
    default:
      return { routingKey, what: `type ${type}`, payload: nothing }
  }
}
