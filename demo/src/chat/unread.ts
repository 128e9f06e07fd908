// How far this seat has read, remembered for the next visit.
import { recall, remember } from '../storage.ts'
import type { Message } from './model.ts'

export type Unread = {
  /** Takes the messages that there are; returns those of others after the last one read. */
  after(messages: readonly Message[]): readonly Message[]
  /** Everything up to the last of these was seen. */
  read(messages: readonly Message[]): void
}

export function followReading({
  room,
  seat,
  author
}: {
  room: string
  seat: string
  author: string
}): Unread {
  const key = `read.${seat}.${room}`
  let lastRead = recall(key)
  return {
    after(messages) {
      const index = lastRead === null ? -1 : messages.findLastIndex(({ id }) => id === lastRead)
      return messages.slice(index + 1).filter(message => message.author !== author)
    },
    read(messages) {
      const last = messages.at(-1)?.id ?? null
      if (last === null || last === lastRead) return
      lastRead = last
      remember(key, last)
    }
  }
}
