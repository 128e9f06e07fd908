/**
 * What people do to a document: random changes of every kind of content. Each transaction keeps two promises that a
 * replica may check at any time: the two maps agree, and no list is empty.
 */
import * as Y from 'yjs'
import type { Chance } from './chance.ts'
import { Violation } from './trace.ts'

/** Rich text counts its embeds, so that places in it are not places in its string: no pairs there, see `between`. */
const plainWords = ['a', 'bc', 'é', '漢字', '\ufeff', '\n', 'hello world', '\u0000']
const words = ['a', 'bc', 'é', '漢字', '😀', 'x😀y', '\ufeff', '\n', 'hello world', '\u0000']

export type Edit = (doc: Y.Doc, chance: Chance) => void

const edits: readonly (readonly [weight: number, name: string, edit: Edit])[] = [
  [8, 'type', type],
  [3, 'erase', erase],
  [3, 'format', format],
  [4, 'pair', setPair],
  [4, 'list', changeList],
  [3, 'array', changeArray],
  [3, 'map', changeMap],
  [3, 'xml', changeXml],
  [1, 'clear', clear]
]

/** Makes one change, in one transaction. Answers what it was. */
export function editAtRandom(doc: Y.Doc, chance: Chance, pasteChars: number): string {
  if (chance.hits(0.04)) {
    doc.transact(() => paste(doc, chance, pasteChars))
    return 'paste'
  }
  const [name, edit] = chance.weighted(edits.map(([weight, ...rest]) => [weight, rest] as const))
  doc.transact(() => edit(doc, chance))
  return name
}

/** Throws a Violation when a transaction is visible in part. */
export function checkPromises(doc: Y.Doc, where: string): void {
  const left = doc.getMap('left')
  const right = doc.getMap('right')
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    if (left.get(key) !== right.get(key))
      throw new Violation(`${where} shows half a pair: ${key} is ${left.get(key)} and ${right.get(key)}`)
  }
  for (const [key, list] of doc.getMap('lists')) {
    if (list instanceof Y.Array && list.length === 0) throw new Violation(`${where} shows list ${key} empty`)
  }
}

function type(doc: Y.Doc, chance: Chance): void {
  const text = doc.getText('text')
  const at = chance.hits(0.6) ? text.length : chance.below(text.length + 1)
  text.insert(between(text, at), chance.pick(words))
}

/**
 * A place between code points. In the middle of one Yjs puts U+FFFD for both halves, and only where the place is looked
 * up: replicas differ by that, whoever carries the updates.
 */
function between(text: Y.Text, at: number): number {
  const unit = text.toString().charCodeAt(at)
  return unit >= 0xdc00 && unit <= 0xdfff ? at + 1 : at
}

function erase(doc: Y.Doc, chance: Chance): void {
  const text = doc.getText('text')
  if (text.length === 0) return
  const from = between(text, chance.below(text.length))
  const to = between(text, Math.min(text.length, from + 1 + chance.below(8)))
  if (to > from) text.delete(from, to - from)
}

function format(doc: Y.Doc, chance: Chance): void {
  const text = doc.getText('rich')
  if (text.length < 3 || chance.hits(0.4)) {
    return text.insert(
      chance.below(text.length + 1),
      chance.pick(plainWords),
      chance.hits(0.5) ? { bold: true } : {}
    )
  }
  if (chance.hits(0.2)) return text.insertEmbed(chance.below(text.length), { image: '漢.png' })
  const at = chance.below(text.length - 1)
  const value = chance.pick([true, null, 'u'])
  text.format(at, 1 + chance.below(text.length - at), { [chance.pick(['bold', 'link'])]: value })
}

function setPair(doc: Y.Doc, chance: Chance): void {
  const key = chance.pick(['a', 'b', 'ключ'])
  const value = `${doc.clientID}/${chance.below(2 ** 30)}`
  doc.getMap('left').set(key, value)
  doc.getMap('right').set(key, value)
}

/** A list is born with an item, and items go only when another one comes. */
function changeList(doc: Y.Doc, chance: Chance): void {
  const lists = doc.getMap<unknown>('lists')
  const key = `l${chance.below(4)}`
  const list = lists.get(key)
  if (!(list instanceof Y.Array) || chance.hits(0.1)) {
    lists.set(key, Y.Array.from([`item ${chance.below(1_000)}`]))
    return
  }
  if (chance.hits(0.4)) list.delete(0, Math.min(list.length, 1 + chance.below(4)))
  list.insert(list.length, [`item ${chance.below(1_000)}`])
}

function changeArray(doc: Y.Doc, chance: Chance): void {
  changeItems(doc.getArray('array'), chance)
}

function changeItems(array: Y.Array<unknown>, chance: Chance): void {
  const inner = array.length > 0 ? array.get(chance.below(array.length)) : undefined
  if (inner instanceof Y.Array && chance.hits(0.5)) return changeItems(inner, chance)
  if (inner instanceof Y.Map && chance.hits(0.5)) return changeEntries(inner, chance)
  if (inner instanceof Y.Text && chance.hits(0.5)) return inner.insert(0, chance.pick(words))
  const at = chance.below(array.length + 1)
  if (array.length > at && chance.hits(0.3)) array.delete(at, Math.min(array.length - at, 3))
  else array.insert(at, [anyValue(chance), anyValue(chance)].slice(chance.below(2)))
}

function changeMap(doc: Y.Doc, chance: Chance): void {
  changeEntries(doc.getMap('map'), chance)
}

function changeEntries(map: Y.Map<unknown>, chance: Chance): void {
  const key = chance.pick(['a', 'b', 'ключ'])
  const inner = map.get(key)
  if (inner instanceof Y.Map && chance.hits(0.5)) changeEntries(inner, chance)
  else if (chance.hits(0.2)) map.delete(key)
  else map.set(key, anyValue(chance))
}

function anyValue(chance: Chance): unknown {
  return chance.pick<() => unknown>([
    () => null,
    () => chance.below(2 ** 30) - 2 ** 29,
    () => 1.5,
    () => chance.pick(words),
    () => new Uint8Array([1, 2, chance.below(255)]),
    () => ({ a: [1, { b: null }], long: 'y'.repeat(60) }),
    () => new Y.Map([['k', 1]]),
    () => new Y.Array(),
    () => new Y.Text('inner')
  ])()
}

function changeXml(doc: Y.Doc, chance: Chance): void {
  changeNodes(doc.getXmlFragment('xml'), chance)
}

function changeNodes(parent: Y.XmlFragment, chance: Chance): void {
  const at = chance.below(parent.length + 1)
  const child = parent.length > 0 ? parent.get(chance.below(parent.length)) : undefined
  if (parent.length > at && chance.hits(0.25)) parent.delete(at, 1)
  else if (child instanceof Y.XmlElement && chance.hits(0.6)) {
    if (chance.hits(0.3)) child.setAttribute('class', chance.pick(words))
    else changeNodes(child, chance)
  } else if (child instanceof Y.XmlText && chance.hits(0.6)) {
    child.insert(chance.pick([0, child.length]), chance.pick(words))
  } else {
    parent.insert(at, [chance.hits(0.5) ? new Y.XmlElement('p') : new Y.XmlText('t')])
  }
}

/** Much at once, in few structs or in many. */
function paste(doc: Y.Doc, chance: Chance, chars: number): void {
  const text = doc.getText('text')
  if (chance.hits(0.5))
    return text.insert(between(text, chance.below(text.length + 1)), '漢😀'.repeat(chars / 3))
  const count = Math.ceil(chars / 12)
  const fragment = doc.getXmlFragment('xml')
  const nodes = Array.from({ length: count }, (_, i) => {
    const node = new Y.XmlElement('p')
    node.insert(0, [new Y.XmlText(`line ${i}`)])
    return node
  })
  fragment.insert(chance.below(fragment.length + 1), nodes)
}

/** Throws most of something away. */
function clear(doc: Y.Doc, chance: Chance): void {
  const shared = chance.pick([doc.getText('text'), doc.getText('rich'), doc.getArray('array')])
  const at = chance.below(shared.length + 1)
  const from = shared instanceof Y.Text && shared === doc.getText('text') ? between(shared, at) : at
  if (shared.length > from) shared.delete(from, shared.length - from)
  const fragment = doc.getXmlFragment('xml')
  if (chance.hits(0.3) && fragment.length > 0) fragment.delete(0, fragment.length)
}
