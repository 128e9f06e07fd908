// One message on the page.
import { element } from '../dom.ts'
import { avatar } from '../presence.ts'
import type { Message } from './model.ts'
import { absoluteTime, relativeTime } from './times.ts'

export type Surroundings = {
  readonly isOwn: boolean
  /** The message before is by the same author and not long ago: name and picture stand there. */
  readonly isContinued: boolean
  /** The first one not yet read. */
  readonly isFirstUnread: boolean
}

export type MessageView = {
  readonly root: HTMLElement
  show(surroundings: Surroundings, now: number): void
}

export function messageView(message: Message): MessageView {
  const { person, text, sentAt } = message
  const time = element('time', { datetime: new Date(sentAt).toISOString(), title: absoluteTime(sentAt) })
  const name = element('span', { class: 'chat-name' }, person.name)
  const head = element('p', { class: 'chat-head' }, name, time)
  const bubble = element('p', { class: 'chat-bubble' }, text)
  const face = avatar(person)
  const divider = element('p', { class: 'chat-divider' }, 'New')
  const root = element('div', { class: 'chat-row' }, divider, face, head, bubble)
  root.style.setProperty('--author', person.color)
  return {
    root,
    show({ isOwn, isContinued, isFirstUnread }, now) {
      root.classList.toggle('is-own', isOwn)
      root.classList.toggle('is-continued', isContinued)
      divider.hidden = !isFirstUnread
      const words = relativeTime(sentAt, now)
      if (time.textContent !== words) time.textContent = words
    }
  }
}
