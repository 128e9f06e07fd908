/** Recorded frames of real clients and malformed ones: against the codec, and against a running server. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/base/errors.ts'
import type { Frame } from '../../src/dialect/frame.ts'
import {
  createHocuspocusEncoder,
  firstHocuspocus,
  type HocuspocusMessage
} from '../../src/dialect/hocuspocus.ts'
import type { First } from '../../src/dialect/message.ts'
import { firstYWebsocket, type YWebsocketMessage, yWebsocketEncoder } from '../../src/dialect/y-websocket.ts'
import { openRaw } from '../support/raw.ts'
import { openHocuspocus } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'

type HocuspocusVector = {
  readonly from: 'client' | 'server'
  readonly frame: string
  readonly address?: string
  readonly message?: Readonly<Record<string, string | null>>
  /** In place of `message` (and `address`): several, in order. */
  readonly messages?: readonly Readonly<Record<string, string | null>>[]
  readonly closes?: number
  readonly isWhole?: boolean
  readonly note: string
}

type Vector = {
  readonly from: 'client' | 'server'
  readonly frame: string
  readonly message?: Readonly<Record<string, string>>
  /** In place of `message`: several, in order. */
  readonly messages?: readonly Readonly<Record<string, string>>[]
  readonly closes?: number
  /** It is a message; what it holds is refused. */
  readonly isWhole?: boolean
  readonly note: string
}

const file = join(import.meta.dirname, '../vectors/y-websocket.json')
const text = readFileSync(file)
const hocuspocusText = readFileSync(join(import.meta.dirname, '../vectors/hocuspocus.json'))
const { wireProtocol, vectors } = JSON.parse(text.toString()) as { wireProtocol: number; vectors: Vector[] }

const titled = (chosen: readonly Vector[]) =>
  chosen.map(each => [`${each.note} (${each.frame.slice(0, 24)})`, each] as const)
const accepted = titled(vectors.filter(({ from, closes }) => from === 'client' && closes === undefined))
const refused = titled(vectors.filter(({ from, closes }) => from === 'client' && closes !== undefined))
const sent = titled(vectors.filter(({ from }) => from === 'server'))

describe('the codec', () => {
  test.each(accepted)('reads %s', (_, { frame, message, messages = [message ?? {}] }) => {
    expect(allOf(frame, firstYWebsocket).map(inHex)).toEqual(messages)
  })

  // What is wrong within a state vector, an awareness state or an update is found later.
  test.each(refused.filter(([, { isWhole }]) => isWhole !== true))('[YW3] refuses %s', (_, { frame }) => {
    expect(() => allOf(frame, firstYWebsocket)).toThrow(Fault)
  })

  test.each(sent)('writes %s', (_, { frame, message }) => {
    expect(payloadOf(write(message as Record<string, string>))).toBe(frame)
  })
})

describe('a running server', () => {
  test.each(accepted)('takes %s', async (_, { frame }) => {
    const { url } = await startServer()
    const raw = await openRaw({ url, path: 'room' })

    raw.send(bytes(frame))
    await raw.ask()

    expect(raw.closeCode()).toBeNull()
  })

  test.each(refused)('closes on %s', async (_, { frame, closes }) => {
    const { url } = await startServer()
    const raw = await openRaw({ url, path: 'room' })

    raw.send(bytes(frame))

    expect(await raw.closed()).toBe(closes)
  })
})

describe('the Hocuspocus codec', () => {
  const vectors = JSON.parse(hocuspocusText.toString()).vectors as HocuspocusVector[]
  const fromClient = vectors.filter(({ from }) => from === 'client')
  const titledFrames = (chosen: readonly HocuspocusVector[]) =>
    chosen.map(each => [`${each.note} (${each.frame.slice(0, 24)})`, each] as const)

  test.each(titledFrames(fromClient.filter(({ closes }) => closes === undefined)))(
    '[HP3] reads %s',
    (_, { frame, address, message, messages }) => {
      const decoded = allOf(frame, firstHocuspocus).map(each =>
        each.type === 'routed' ? { address: each.routingKey, ...inHex(each.message) } : each
      )
      expect(decoded).toEqual(messages ?? [address === undefined ? message : { address, ...message }])
    }
  )

  const refusedFrames = fromClient.filter(({ closes }) => closes !== undefined)
  test.each(titledFrames(refusedFrames.filter(({ isWhole }) => isWhole !== true)))(
    '[HP15] refuses %s',
    (_, { frame }) => {
      expect(() => allOf(frame, firstHocuspocus)).toThrow(Fault)
    }
  )

  test.each(titledFrames(vectors.filter(({ from }) => from === 'server')))(
    'writes %s',
    (_, { frame, address, message }) => {
      expect(payloadOf(writeHocuspocus(address as string, message as Record<string, string>))).toBe(frame)
    }
  )

  test.each(titledFrames(refusedFrames))('[HP15] a running server closes on %s', async (_, vector) => {
    const { url } = await startServer()
    const client = await openHocuspocus(url)
    await client.join('doc1')

    client.raw.send(bytes(vector.frame))

    expect(await client.raw.closed()).toBe(vector.closes)
  })
})

test('the bytes on the wire change only together with the version of the wire protocol', () => {
  // Whoever changes this hash raises `wireProtocol`, unless vectors were only added, and says so in the changelog.
  const pinned = {
    wireProtocol: 2,
    sha256: '8045b34697a59c9c2d25534456e6f2370a30ff382c7ce1adb0ad285a5b4b1cbb',
    hocuspocus: '190af21b96c54988f27bf371d6b154120cf57f99d01e82a7f49fb9923f9cc8f6'
  }

  const sha256 = createHash('sha256').update(text).digest('hex')
  const hocuspocus = createHash('sha256').update(hocuspocusText).digest('hex')
  const changelog = readFileSync(join(import.meta.dirname, '../../CHANGELOG.md'), 'utf8')

  expect({ wireProtocol, sha256, hocuspocus }).toEqual(pinned)
  expect(changelog).toMatch(new RegExp(`^Wire protocol: ${pinned.wireProtocol}\\b`, 'm'))
})

/** All messages of a frame, one after the other. */
function allOf<M>(hex: string, first: (bytes: Uint8Array) => First<M>): M[] {
  const messages: M[] = []
  let rest = bytes(hex)
  do {
    const { message, length } = first(rest)
    messages.push(message)
    rest = rest.subarray(length)
  } while (rest.length > 0)
  return messages
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

function inHex(message: HocuspocusMessage | YWebsocketMessage): Record<string, string> {
  const entries = Object.entries(message).map(([key, value]: [string, string | null | Uint8Array]) => [
    key,
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  ])
  return Object.fromEntries(entries) as Record<string, string>
}

function write({ type, payload = '' }: Record<string, string>): Frame {
  switch (type) {
    case 'sync-step-1':
      return yWebsocketEncoder.syncStep1(bytes(payload))
    case 'update':
      return yWebsocketEncoder.update(bytes(payload))
    case 'awareness':
      return yWebsocketEncoder.awareness(bytes(payload))
    case 'end-marker':
      return yWebsocketEncoder.endMarker()
    case 'keep-alive':
      return yWebsocketEncoder.keepAlive()
    case 'denied':
      return yWebsocketEncoder.denied(payload)
    case 'acknowledged':
      return yWebsocketEncoder.acknowledged(Number(payload))
    case 'not-taken':
      return yWebsocketEncoder.notTaken(Number(payload))
    case 'token-request':
      return yWebsocketEncoder.tokenRequest()
    default:
      throw new Error(`no such message: ${type}`)
  }
}

function writeHocuspocus(address: string, { type, payload = '' }: Record<string, string>): Frame {
  const encoder = createHocuspocusEncoder(address)
  switch (type) {
    case 'sync-step-1':
      return encoder.syncStep1(bytes(payload))
    case 'update':
      return encoder.update(bytes(payload))
    case 'awareness':
      return encoder.awareness(bytes(payload))
    case 'end-marker':
      return encoder.endMarker()
    case 'keep-alive':
      return encoder.keepAlive()
    case 'denied':
      return encoder.denied(payload)
    case 'acknowledged':
      return encoder.acknowledged(Number(payload))
    case 'not-taken':
      return encoder.notTaken(Number(payload))
    case 'authenticated':
      return encoder.authenticated(payload === 'write' ? 'write' : 'read')
    case 'saved':
      return encoder.saved() as Frame
    case 'query-awareness':
      return encoder.queryAwareness() as Frame
    case 'not-saved':
      return encoder.notSaved('read-only') as Frame
    case 'stateless':
      return encoder.stateless(payload)
    case 'closed':
      return encoder.closed()
    default:
      throw new Error(`no such message: ${type}`)
  }
}

/** Without the WebSocket header: these are short ones, of two bytes. */
function payloadOf(frame: Frame): string {
  const whole = Buffer.concat(frame)
  expect(whole[0]).toBe(0x82)
  expect(whole[1]).toBe(whole.length - 2)
  return whole.subarray(2).toString('hex')
}
