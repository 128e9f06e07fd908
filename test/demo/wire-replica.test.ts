// What the wire view says an update did, over real updates: positions, places, and what it cannot tell.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { createReplica } from '../../demo/src/wire/replica.ts'
import { structLines, summarize } from '../../demo/src/wire/structs.ts'

/** A document whose updates are told to a replica as they are made. */
function watched(setUp: (doc: Y.Doc) => void = () => {}, kinds: (doc: Y.Doc) => void = () => {}) {
  const doc = new Y.Doc()
  doc.clientID = 123
  kinds(doc)
  setUp(doc)
  const replica = createReplica(Y.encodeStateAsUpdate(doc), doc)
  const effects: string[][] = []
  doc.on('update', update => effects.push([...replica.apply(update).effects]))
  return { doc, replica, effects }
}

test('typing is an insertion with its text and place, deleting a deletion with its length', () => {
  const { doc, effects } = watched(doc => doc.getText('text').insert(0, 'Twelve words '))
  const text = doc.getText('text')

  text.insert(13, 'hel')
  text.delete(4, 3)

  expect(effects).toEqual([['insert "hel" at 13 in text'], ['delete 3 at 4 in text']])
})

test('each update of a batch is told by itself, though the document took them together', () => {
  const { doc, effects } = watched()
  const other = new Y.Doc()
  const updates: Uint8Array[] = []
  other.on('update', update => updates.push(update))
  for (const letter of 'abc') other.getText('text').insert(other.getText('text').length, letter)

  for (const update of updates) Y.applyUpdate(doc, update)

  expect(effects.flat()).toEqual([
    'insert "a" at 0 in text',
    'insert "b" at 1 in text',
    'insert "c" at 2 in text'
  ])
})

test('formatting, embeds and long or broken lines of a text are told', () => {
  const { doc, effects } = watched(doc => doc.getText('text').insert(0, 'hello'))
  const text = doc.getText('text')

  text.format(1, 3, { bold: true })
  text.insertEmbed(5, { image: 'a' })
  text.insert(0, `one\ntwo${'x'.repeat(60)}`)

  expect(effects).toEqual([
    ['format 3 as bold at 1 in text'],
    ['insert {"image":"a"} at 5 in text'],
    [`insert "one⏎two${'x'.repeat(41)}…" (67 characters) at 0 in text`]
  ])
})

test('a map tells keys and values, an array what was put where, nested types by their way from the root', () => {
  const { doc, effects } = watched()
  const cards = doc.getMap<Y.Map<unknown>>('cards')

  const card = new Y.Map<unknown>()
  cards.set('k3', card)
  card.set('title', 'Paint')
  card.set('title', 'Paint the fence')
  card.delete('title')
  doc.getArray('lines').push([1, { x: 2 }])

  expect(effects.flat()).toEqual([
    'set k3 to map in cards',
    'set title to "Paint" in cards › k3',
    'set title to "Paint the fence" in cards › k3',
    'remove title in cards › k3',
    'insert 1, {"x":2} at 0 in lines'
  ])
})

test('an element tells its name and text, and the text in it is called by the element', () => {
  const { doc, effects } = watched(
    () => {},
    doc => doc.getXmlFragment('rich')
  )
  const rich = doc.getXmlFragment('rich')

  doc.transact(() => {
    const paragraph = new Y.XmlElement('paragraph')
    rich.insert(0, [paragraph])
    paragraph.insert(0, [new Y.XmlText('Hello')])
  })
  const paragraph = rich.get(0) as Y.XmlElement
  const words = paragraph.get(0) as Y.XmlText
  words.insert(5, '!')
  paragraph.setAttribute('align', 'left')

  expect(effects.flat()).toEqual([
    'insert <paragraph> "Hello" at 0 in rich',
    'insert "!" at 5 in rich › paragraph 0',
    'set align to "left" in rich › paragraph 0'
  ])
})

test('roots that the page does not know are told by what is written into them', () => {
  const sender = new Y.Doc()
  const replica = createReplica(new Uint8Array([0, 0]), new Y.Doc())
  const effects: string[] = []
  sender.on('update', update => effects.push(...replica.apply(update).effects))

  sender.getText('notes').insert(0, 'a')
  sender.getMap('settings').set('dark', true)
  sender.getXmlFragment('page').insert(0, [new Y.XmlElement('heading')])
  sender.getArray('votes').push([1])

  expect(effects).toEqual([
    'insert "a" at 0 in notes',
    'set dark to true in settings',
    'insert <heading> at 0 in page',
    'insert 1 at 0 in votes'
  ])
})

test('what was told before is told as nothing new, what builds on something unseen as waiting', () => {
  const sender = new Y.Doc()
  const updates: Uint8Array[] = []
  sender.on('update', update => updates.push(update))
  sender.getText('text').insert(0, 'a')
  sender.getText('text').insert(1, 'b')
  const [first = new Uint8Array(), second = new Uint8Array()] = updates
  const replica = createReplica(new Uint8Array([0, 0]), new Y.Doc())

  expect(replica.apply(second)).toEqual({ effects: [], isWaiting: true })
  expect(replica.apply(first).effects).toEqual(['insert "ab" at 0 in text'])
  expect(replica.apply(second)).toEqual({ effects: [], isWaiting: false })
})

test('an update says whose structs it has, and that deletions have no author', () => {
  const doc = new Y.Doc()
  doc.clientID = 123
  const text = doc.getText('text')
  text.insert(0, 'hello')
  const before = Y.encodeStateVector(doc)
  text.delete(1, 2)
  text.insert(3, 'p')

  const whole = summarize(Y.encodeStateAsUpdate(doc))
  const last = Y.encodeStateAsUpdate(doc, before)

  expect(whole?.authors).toEqual([123])
  expect(whole?.words).toBe('3 structs of client 123, 1 deletion')
  expect(structLines(last)).toEqual(['123:5 text "p" after 123:4', 'delete 123:1…2'])
  expect(summarize(new Uint8Array(1_000_001))).toBeNull()
})

test('replaying what is told gives the same text, whatever was typed (property)', () => {
  const edits = fc.array(
    fc.record({ at: fc.nat(50), remove: fc.nat(3), add: fc.stringMatching(/^[a-z]{0,4}$/) }),
    { maxLength: 30 }
  )
  fc.assert(
    fc.property(edits, steps => {
      const { doc, effects } = watched()
      const text = doc.getText('text')
      let told = ''
      for (const { at, remove, add } of steps) {
        const from = Math.min(at, text.length)
        const count = Math.min(remove, text.length - from)
        doc.transact(() => {
          if (count > 0) text.delete(from, count)
          if (add !== '') text.insert(from, add)
        })
      }
      for (const effect of effects.flat()) told = replay(told, effect)
      expect(told).toBe(text.toString())
    })
  )
})

function replay(text: string, effect: string): string {
  const {
    verb = '',
    what = '',
    at = '0'
  } = /^(?<verb>insert|delete) "?(?<what>\w+)"? at (?<at>\d+) in text$/.exec(effect)?.groups ?? {}
  const place = Number(at)
  if (verb === 'delete') return text.slice(0, place) + text.slice(place + Number(what))
  return text.slice(0, place) + what + text.slice(place)
}
