// When the wire view calls a message durable: never before the server has said so.
import { expect, test } from 'vitest'
import { followDurability } from '../../demo/src/wire/durability.ts'
import type { Direction, WireMessage } from '../../demo/src/wire/frame.ts'
import type { Dialect } from '../../demo/src/wire/tap.ts'

const update: WireMessage = { kind: 'Update', update: new Uint8Array([0, 0]) }
const stepOne: WireMessage = { kind: 'SyncStep1', stateVector: new Map() }
const stepTwo: WireMessage = { kind: 'SyncStep2', update: new Uint8Array([0, 0]) }
const saved: WireMessage = { kind: 'SyncStatus', isSaved: true }
const refused: WireMessage = { kind: 'SyncStatus', isSaved: false }

function follow(dialect: Dialect, unacknowledged = 0) {
  const durability = followDurability<string>(dialect, unacknowledged)
  const pass =
    (direction: Direction) =>
    (message: WireMessage, name = '') =>
      durability.passed(direction, message, name)
  return { opened: durability.opened, send: pass('sent'), receive: pass('received') }
}

test('y-websocket: the answer to a barrier covers what was sent before it, and nothing after', () => {
  const { send, receive } = follow('y-websocket')
  send(update, 'a')
  send(update, 'b')
  send(stepOne)
  send(update, 'c')

  expect(receive(stepTwo)).toEqual(['a', 'b'])
  send(stepOne)
  expect(receive(stepTwo)).toEqual(['c'])
})

test('y-websocket: an answer to a barrier that nobody saw confirms nothing', () => {
  const { send, receive } = follow('y-websocket')
  send(update, 'a')

  expect(receive(stepTwo)).toEqual([])
})

test('y-websocket: the answer to a handshake confirms nothing of the lost connection', () => {
  const { opened, send, receive } = follow('y-websocket')
  send(update, 'lost')
  opened()
  send(stepOne)

  expect(receive(stepTwo)).toEqual([])
  send(stepTwo, 'offline')
  send(stepOne)
  expect(receive(stepTwo)).toEqual(['lost', 'offline'])
})

test('Hocuspocus: each acknowledgement is of one message, in their order', () => {
  const { send, receive } = follow('Hocuspocus')
  send(update, 'a')
  send(update, 'b')

  expect(receive(saved)).toEqual(['a'])
  expect(receive(refused)).toEqual([])
  expect(receive(saved)).toEqual(['b'])
  expect(receive(saved)).toEqual([])
})

test('Hocuspocus: acknowledgements that were due before anybody watched are not taken for later messages', () => {
  const { send, receive } = follow('Hocuspocus', 2)
  send(update, 'a')

  expect(receive(saved)).toEqual([])
  expect(receive(saved)).toEqual([])
  expect(receive(saved)).toEqual(['a'])
})

test('Hocuspocus: the first acknowledgement after a handshake is of the SyncStep2, which holds all before it', () => {
  const { opened, send, receive } = follow('Hocuspocus')
  send(update, 'lost')
  opened()
  send(stepOne)
  send(update, 'meanwhile')
  send(stepTwo, 'offline')

  expect(receive(saved)).toEqual(['lost', 'offline'])
  expect(receive(saved)).toEqual(['meanwhile'])
})

test('Hocuspocus: a SyncStep2 that answers a question of the server’s own is not acknowledged', () => {
  const { send, receive } = follow('Hocuspocus')
  send(stepTwo, 'asked for')
  send(update, 'a')

  expect(receive(saved)).toEqual(['a'])
})
