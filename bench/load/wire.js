/**
 * The two wires, as bytes: what a client sends, and a reader that tells what a message is without copying it. A
 * dialect writes payloads; `maskedFrame` makes frames of them.
 */
import * as encoding from 'lib0/encoding'

/** What `read` found. One object for all messages: valid until the next one. */
export const found = { kind: 'other', start: 0, end: 0 }

export const emptyUpdate = Uint8Array.of(0, 0)
export const emptyVector = Uint8Array.of(0)

let position = 0

/** Reads a varUint at `position` and moves on. */
function varUint(bytes) {
  let value = 0
  let factor = 1
  for (;;) {
    const byte = bytes[position++]
    value += (byte & 127) * factor
    if (byte < 128) return value
    factor *= 128
  }
}

function payload(address, ...parts) {
  const encoder = encoding.createEncoder()
  if (address !== null) encoding.writeVarString(encoder, address)
  for (const part of parts) {
    if (typeof part === 'number') encoding.writeVarUint(encoder, part)
    else if (typeof part === 'string') encoding.writeVarString(encoder, part)
    else encoding.writeVarUint8Array(encoder, part)
  }
  return encoding.toUint8Array(encoder)
}

function bytesAt(bytes, kind) {
  const length = varUint(bytes)
  found.kind = kind
  found.start = position
  found.end = position + length
  return found
}

function other(kind = 'other') {
  found.kind = kind
  return found
}

function readBody(bytes) {
  const type = varUint(bytes)
  if (type === 0) {
    const step = varUint(bytes)
    return bytesAt(bytes, step === 2 ? 'update' : step === 1 ? 'step2' : 'step1')
  }
  if (type === 1) return bytesAt(bytes, 'awareness')
  if (type === 8) return other(bytes[position] === 1 ? 'ack' : 'refusal')
  return other()
}

export const yWebsocket = {
  name: 'y-websocket',
  doesEcho: true,
  hasAcks: false,
  path: room => `/${room}`,
  hello: (_room, vector = emptyVector) => [payload(null, 0, 0, vector)],
  step2: (_room, update) => payload(null, 0, 1, update),
  update: (_room, update) => payload(null, 0, 2, update),
  awareness: (_room, update) => payload(null, 1, update),
  read(bytes, start) {
    position = start
    return readBody(bytes)
  }
}

export const hocuspocus = {
  name: 'hocuspocus',
  // The provider of 4.5 and later sends only its own state.
  doesEcho: false,
  hasAcks: true,
  path: () => '/',
  hello: (room, vector = emptyVector) => [payload(room, 2, 0, '', '4.8.0'), payload(room, 0, 0, vector)],
  step2: (room, update) => payload(room, 0, 1, update),
  update: (room, update) => payload(room, 0, 2, update),
  awareness: (room, update) => payload(room, 1, update),
  read(bytes, start, end) {
    if (end - start === 1) return other('ping')
    position = start
    const length = varUint(bytes)
    position += length
    return readBody(bytes)
  }
}

export const dialects = { 'y-websocket': yWebsocket, hocuspocus }
