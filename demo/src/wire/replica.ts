// A replica fed with nothing but what passed on one wire. What each update changes in it is what the update did: no
// guessing from the page's own document, which takes several at once and has its own edits already.
import * as Y from 'yjs'
import { rootsNamed, type SharedType, typeWords } from './structs.ts'
import { counted, quoted, shortJson } from './words.ts'

export type Applied = {
  /** `insert "hel" at 12 in text`, one for each change; empty when the update brought nothing new. */
  readonly effects: readonly string[]
  /** It builds on something that has not passed: nothing can be said yet. */
  readonly isWaiting: boolean
}

export type Replica = {
  apply(update: Uint8Array): Applied
  /** How much of the document it holds. */
  stateVector(): Uint8Array
}

const origin = 'wire'
const effectsMax = 200

/**
 * Creates a replica that begins with a state. `kinds` is asked for the types of the roots, which no update carries:
 * a page knows its own; those of others are told by what is written into them.
 */
export function createReplica(state: Uint8Array, kinds: Y.Doc): Replica {
  const doc = new Y.Doc()
  let effects: string[] = []
  declareRoots(doc, kinds, state)
  Y.applyUpdate(doc, state, origin)
  doc.on('afterTransaction', (transaction: Y.Transaction) => {
    if (transaction.origin === origin) effects.push(...effectsOf(transaction))
  })
  return {
    apply(update) {
      effects = []
      declareRoots(doc, kinds, update)
      Y.applyUpdate(doc, update, origin)
      const { pendingStructs, pendingDs } = doc.store
      return { effects, isWaiting: effects.length === 0 && (pendingStructs !== null || pendingDs !== null) }
    },
    stateVector: () => Y.encodeStateVector(doc)
  }
}

/** A root without a type tells nothing of its changes. */
function declareRoots(doc: Y.Doc, kinds: Y.Doc, update: Uint8Array): void {
  for (const [name, type] of kinds.share) {
    if (type.constructor !== Y.AbstractType) declare(doc, name, type.constructor)
  }
  for (const [name, kind] of rootsNamed(update)) declare(doc, name, kind)
}

function declare(doc: Y.Doc, name: string, kind: SharedType['constructor']): void {
  const known = doc.share.get(name)
  if (known !== undefined && known.constructor !== Y.AbstractType) return
  doc.get(name, kind as new () => SharedType)
}

function effectsOf(transaction: Y.Transaction): string[] {
  const effects: string[] = []
  for (const type of transaction.changed.keys()) {
    // What went with its parent needs no words of its own.
    if (type._item?.deleted === true) continue
    const event = transaction.changedParentTypes.get(type)?.find(({ target }) => target === type)
    if (event === undefined || effects.length > effectsMax) continue
    const place = ` in ${placeOf(type)}`
    for (const words of eventWords(event)) effects.push(words + place)
  }
  return effects
}

type Operation = {
  readonly insert?: unknown
  readonly delete?: number | undefined
  readonly retain?: number | undefined
  readonly attributes?: Record<string, unknown> | undefined
}

function eventWords(event: Y.YEvent<SharedType>): string[] {
  const words: string[] = []
  let at = 0
  const operations: readonly Operation[] = event instanceof Y.YTextEvent ? event.delta : event.changes.delta
  for (const operation of operations) {
    if (operation.retain !== undefined) {
      if (operation.attributes !== undefined)
        words.push(formatWords(operation.attributes, operation.retain, at))
      at += operation.retain
    } else if (operation.delete !== undefined) words.push(`delete ${operation.delete} at ${at}`)
    else {
      words.push(`insert ${insertedWords(operation.insert)} at ${at}`)
      at += insertedLength(operation.insert)
    }
  }
  for (const [key, { action }] of event.changes.keys) {
    const value = event.target._map.get(key)?.content.getContent()[0]
    words.push(action === 'delete' ? `remove ${key}` : `set ${key} to ${valueWords(value)}`)
  }
  return words
}

function formatWords(attributes: Record<string, unknown>, length: number, at: number): string {
  const changes = Object.entries(attributes).map(([name, value]) => (value === null ? `no ${name}` : name))
  return `format ${length} as ${changes.join(', ')} at ${at}`
}

function insertedWords(inserted: unknown): string {
  if (typeof inserted === 'string') return quoted(inserted)
  if (!Array.isArray(inserted)) return valueWords(inserted)
  const words = inserted.slice(0, 2).map(valueWords).join(', ')
  return inserted.length > 2 ? `${words} and ${inserted.length - 2} more` : words
}

function insertedLength(inserted: unknown): number {
  return typeof inserted === 'string' || Array.isArray(inserted) ? inserted.length : 1
}

function valueWords(value: unknown): string {
  if (value instanceof Uint8Array) return `a binary of ${counted(value.length, 'byte')}`
  if (!(value instanceof Y.AbstractType)) return shortJson(value)
  const words = typeWords(value)
  const text = value instanceof Y.XmlElement || value instanceof Y.Text ? textOf(value) : ''
  return text === '' ? words : `${words} ${quoted(text)}`
}

/** The text alone: marks and elements inside are for the list of structs. */
function textOf(type: Y.XmlElement | Y.Text): string {
  if (type instanceof Y.Text) {
    const parts = type.toDelta() as readonly { insert: unknown }[]
    return parts.map(({ insert }) => (typeof insert === 'string' ? insert : '')).join('')
  }
  return type
    .toArray()
    .map(child => (child instanceof Y.XmlElement || child instanceof Y.XmlText ? textOf(child) : ''))
    .join(' ')
}

const placeDepthMax = 4

/** From the root down: `board-cards › k3 › title`. */
function placeOf(type: SharedType): string {
  const steps: string[] = []
  let current: SharedType | null = type
  // A text that is all there is in an element is called by the element's name.
  if (isOnlyText(current) && current._item !== null) current = current._item.parent as SharedType
  while (current !== null) {
    const item: Y.Item | null = current._item
    steps.unshift(item === null ? rootName(current) : stepName(item, current))
    current = item === null ? null : (item.parent as SharedType)
  }
  const [root = '', ...others] = steps
  return [root, ...(others.length > placeDepthMax ? ['…', ...others.slice(-placeDepthMax)] : others)].join(
    ' › '
  )
}

function isOnlyText(type: SharedType): boolean {
  const parent = type._item?.parent
  return type instanceof Y.XmlText && parent instanceof Y.XmlElement && parent.length === 1
}

function rootName(type: SharedType): string {
  for (const [name, root] of type.doc?.share ?? []) if (root === type) return name
  return '?'
}

function stepName(item: Y.Item, type: SharedType): string {
  if (item.parentSub !== null) return item.parentSub
  let index = 0
  for (let left = item.left; left !== null; left = left.left) {
    if (!left.deleted && left.countable) index += left.length
  }
  return `${type instanceof Y.XmlElement ? type.nodeName : typeWords(type)} ${index}`
}
