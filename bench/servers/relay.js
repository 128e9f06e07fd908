/**
 * The floor: a WebSocket relay that knows rooms and nothing else. No CRDT, no storage; header and payload of a frame
 * are encoded once and written to each socket as they are. With `--window <ms>` all frames of a window leave in one
 * write per member.
 */
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { WebSocketServer } from 'ws'

const { values } = parseArgs({ options: { window: { type: 'string', default: '0' } } })
const windowMs = Number(values.window)
const emptyStep2 = frameOf(Buffer.from([0, 1, 2, 0, 0]))
const rooms = new Map()

const webSockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false })
const server = createServer((_request, response) => response.end())

server.on('upgrade', (request, stream, head) => {
  webSockets.handleUpgrade(request, stream, head, socket => enter(socket, stream, request.url))
})
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`))

function enter(socket, stream, name) {
  const room = rooms.get(name) ?? { members: new Set(), window: [] }
  rooms.set(name, room)
  room.members.add(stream)
  socket.on('message', message => receive(room, stream, message))
  socket.on('error', () => {})
  socket.on('close', () => {
    room.members.delete(stream)
    if (room.members.size === 0) rooms.delete(name)
  })
}

function receive(room, stream, message) {
  if (message[0] === 0 && message[1] === 0) return stream.write(emptyStep2)
  if (message[0] === 0 && message[1] === 1) return
  const frame = frameOf(message)
  if (windowMs > 0) return gather(room, frame)
  for (const member of room.members) if (member !== stream) member.write(frame)
}

function gather(room, frame) {
  room.window.push(frame)
  if (room.window.length > 1) return
  setTimeout(() => {
    const frames = Buffer.concat(room.window)
    room.window = []
    for (const member of room.members) member.write(frames)
  }, windowMs)
}

function frameOf(payload) {
  const { length } = payload
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(head + length)
  frame[0] = 0x82
  frame[1] = head === 2 ? length : head === 4 ? 126 : 127
  if (head === 4) frame.writeUInt16BE(length, 2)
  if (head === 10) frame.writeBigUInt64BE(BigInt(length), 2)
  frame.set(payload, head)
  return frame
}
