/**
 * Writers that type: their updates are produced by real Y.Docs beforehand, one character each, so that the clock of
 * an update is its number. A writer's clientID carries its index in the low bits.
 */
import * as Y from 'yjs'
import { seeded } from './random.js'
import { maskedFrame } from './socket.js'

const indexBits = 11
const letters = 'etaoin shrdlucmfwyp'

export const writersMax = 2 ** indexBits

export function writerOf(clientID) {
  return clientID % writersMax
}

export function clientIDOf(writer, random) {
  return (Math.floor(random() * 2 ** (32 - indexBits)) * writersMax + writer) >>> 0
}

/** `perWriter` updates of each of `writers` writers, and the state they lead to. */
export function typeTexts({ writers, perWriter, seed = 1 }) {
  const random = seeded(seed)
  return Array.from({ length: writers }, (_, writer) =>
    typeText(clientIDOf(writer, random), perWriter, random)
  )
}

/** One person typing into one text, now and then elsewhere in it. */
function typeText(clientID, count, random) {
  const doc = new Y.Doc()
  doc.clientID = clientID
  const updates = []
  doc.on('update', update => updates.push(update))
  const text = doc.getText('text')
  let at = 0
  for (let i = 0; i < count; i++) {
    if (random() < 0.02) at = Math.floor(random() * (text.length + 1))
    text.insert(at++, letters[Math.floor(random() * letters.length)])
  }
  doc.destroy()
  return { clientID, updates }
}

/** The writer's updates as frames of a dialect, ready to be sent. */
export function framesOf({ updates }, dialect, room) {
  return updates.map(update => maskedFrame(dialect.update(room, update)))
}
