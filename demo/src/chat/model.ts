// The conversation as Yjs data: a list that only ever grows. It knows nothing of the page.
import type * as Y from 'yjs'
import { newId } from '../id.ts'
import { type Person, personFrom } from '../person.ts'

export type Message = {
  readonly id: string
  /** Who wrote it: a name that a seat of a browser keeps, unlike the clientID of a visit. */
  readonly author: string
  readonly person: Person
  readonly text: string
  /** The author's clock, in milliseconds since 1970. */
  readonly sentAt: number
}

export const messageLengthMax = 4000

export type Draft = Pick<Message, 'author' | 'person' | 'text'>

export function messagesOf(doc: Y.Doc): Y.Array<unknown> {
  return doc.getArray<unknown>('chat-messages')
}

export function sendMessage(doc: Y.Doc, { author, person, text }: Draft): void {
  messagesOf(doc).push([
    { id: newId(), author, name: person.name, color: person.color, text, sentAt: Date.now() }
  ])
}

/** Reads what is in the list; entries that are no messages are left out. */
export function readMessages(doc: Y.Doc): Message[] {
  return messagesOf(doc).toArray().flatMap(messageFrom)
}

/** A text that is equal if and only if two replicas show the same conversation. */
export function chatContent(doc: Y.Doc): string {
  return readMessages(doc)
    .map(({ id }) => id)
    .join(' ')
}

function messageFrom(value: unknown): Message[] {
  if (typeof value !== 'object' || value === null) return []
  const { id, author, text, sentAt } = value as Record<string, unknown>
  const person = personFrom(value)
  if (typeof id !== 'string' || typeof author !== 'string' || typeof text !== 'string') return []
  if (person === null || typeof sentAt !== 'number' || !Number.isFinite(sentAt)) return []
  return [{ id, author, person, text: text.slice(0, messageLengthMax), sentAt }]
}
