// What the wire view says of awareness messages, over the bytes of real ones.
import * as encoding from 'lib0/encoding'
import { expect, test } from 'vitest'
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { People } from '../../demo/src/wire/author.ts'
import { decodeFrame } from '../../demo/src/wire/frame.ts'
import { followPresence } from '../../demo/src/wire/presence-words.ts'

const ownClientID = 1

/** Takes every name it is told for one. */
function createPeople(): People {
  const names = new Map<number, string>()
  return {
    author: clientID => {
      const name = names.get(clientID)
      return { clientID, person: name === undefined ? null : { name, color: '#1971c2' } }
    },
    note(clientID, state) {
      const user = state?.user as { name: string } | undefined
      if (user !== undefined) names.set(clientID, user.name)
    }
  }
}

function createPerson(clientID: number, name: string) {
  const doc = new Y.Doc()
  doc.clientID = clientID
  const awareness = new Awareness(doc)
  // Its timer would outlive the test.
  awareness.destroy()
  awareness.setLocalState({ user: { name, color: '#1971c2' }, cursor: null })
  return awareness
}

function watched() {
  const people = createPeople()
  const words = followPresence({ known: new Map(), ownClientID, people })
  return (awareness: Awareness, direction: 'sent' | 'received' = 'received') => {
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, 1)
    encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(awareness, [awareness.clientID]))
    const { message } = decodeFrame('y-websocket', direction, encoding.toUint8Array(encoder))
    return message.kind === 'Awareness' ? words(message.entries, direction) : []
  }
}

test('who comes, moves, does something, is renamed and leaves is told so', () => {
  const ada = createPerson(2, 'Ada')
  const tell = watched()

  expect(tell(ada)).toEqual(['is here'])
  ada.setLocalStateField('cursor', { anchor: 1, head: 1 })
  expect(tell(ada)).toEqual(['cursor moved'])
  ada.setLocalStateField('typing', true)
  expect(tell(ada)).toEqual(['typing: true'])
  ada.setLocalStateField('user', { name: 'Zuse', color: '#1971c2' })
  expect(tell(ada)).toEqual(['changed name or colour'])
  ada.setLocalStateField('cursor', null)
  expect(tell(ada)).toEqual(['cursor gone'])
  ada.setLocalState(null)
  expect(tell(ada)).toEqual(['left'])
})

test('what says nothing new is a renewal, an echo, or one’s own state coming back', () => {
  const own = createPerson(ownClientID, 'Grace')
  const other = createPerson(2, 'Ada')
  const tell = watched()
  tell(own, 'sent')
  tell(other)

  expect(tell(own, 'sent')).toEqual(['renewed'])
  expect(tell(other)).toEqual(['renewed'])
  expect(tell(own)).toEqual(['comes back to its owner'])
  expect(tell(other, 'sent')).toEqual(['echoed, as this client does'])
})

test('several in one message are told by name', () => {
  const people = createPeople()
  const words = followPresence({ known: new Map(), ownClientID, people })
  const entries = [
    { clientID: 2, clock: 1, state: { user: { name: 'Ada', color: '#1971c2' } } },
    { clientID: 3, clock: 1, state: null }
  ]

  expect(words(entries, 'received')).toEqual(['Ada is here', 'client 3 left'])
})
