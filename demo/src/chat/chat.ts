// The chat of one pane: history, who is typing, and where one writes.
import { element, icon } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import { newId } from '../id.ts'
import type { Participant } from '../participant.ts'
import { recall, remember } from '../storage.ts'
import { composer } from './composer.ts'
import { createHistory, type History } from './history.ts'
import { type Message, messagesOf, readMessages, sendMessage } from './model.ts'
import { announceTyping, typingLine } from './typing.ts'
import { followReading } from './unread.ts'

export type ChatOptions = {
  readonly room: string
  /** Told how many messages of others this seat has not read. */
  unreadChanged(count: number): void
}

const downIcon = 'M10 4v11M5.500 10.500 10 15l4.500-4.500'

/** Builds the chat inside `body`; it lives as long as the page. */
export function mountChat(participant: Participant, body: HTMLElement, options: ChatOptions): void {
  const { doc, seat } = participant
  const author = rememberedAuthor(seat)
  let messages: readonly Message[] = []
  const history = createHistory({
    label: `Messages, ${seat} pane`,
    isOwn: message => message.author === author,
    scrolled: () => mark.show(messages)
  })
  const mark = unreadMark(history, { ...options, seat, author })
  const speaker = announcer(author)
  const empty = element('p', { class: 'chat-empty' }, 'No messages yet. Write the first one.')
  const upper = element('div', { class: 'chat-room' }, history.root, empty, mark.button)
  const field = writing(participant, { author, history })
  body.append(element('div', { class: 'chat' }, upper, typingLine(participant), field, speaker.root))

  const show = oncePerFrame(() => {
    messages = readMessages(doc)
    empty.hidden = messages.length > 0
    history.show(messages)
    mark.show(messages)
    speaker.show(messages)
  })
  messagesOf(doc).observe(show)
  document.addEventListener('visibilitychange', show)
  new ResizeObserver(show).observe(history.root)
}

function writing(
  participant: Participant,
  { author, history }: { author: string; history: History }
): HTMLElement {
  const { doc, seat, person } = participant
  const typing = announceTyping(participant)
  return composer(`Message, ${seat} pane`, {
    sent(text) {
      typing.stopped()
      history.markUnread(null)
      sendMessage(doc, { author, person: person.value, text })
      history.scrollToEnd()
    },
    pressed: typing.pressed,
    left: typing.stopped,
    paged: history.scrollBy
  })
}

/** The button that leads to the end and says what is new there, and the line before the first unread message. */
function unreadMark(
  history: History,
  { room, seat, author, unreadChanged }: ChatOptions & { seat: string; author: string }
) {
  const reading = followReading({ room, seat, author })
  const count = element('span', {})
  const button = element(
    'button',
    { class: 'chat-jump', type: 'button', hidden: true },
    icon(downIcon),
    count
  )
  button.addEventListener('click', () => history.scrollToEnd())
  return {
    button,
    show(messages: readonly Message[]) {
      const isAtEnd = history.isAtEnd()
      // Read is what stands at the end of a pane that is looked at.
      if (isAtEnd && !document.hidden && history.root.clientHeight > 0) reading.read(messages)
      const unread = reading.after(messages)
      const [first] = unread
      if (first !== undefined) history.markUnread(first.id)
      button.hidden = isAtEnd
      count.textContent = unread.length === 0 ? 'Latest' : `${unread.length} new`
      button.classList.toggle('has-unread', unread.length > 0)
      unreadChanged(unread.length)
    }
  }
}

/** Says new messages of others to assistive technology; the history itself comes and goes with scrolling. */
function announcer(author: string) {
  const root = element('p', { class: 'visually-hidden', 'aria-live': 'polite' })
  let known: number | null = null
  return {
    root,
    show(messages: readonly Message[]) {
      const fresh = known === null ? [] : messages.slice(known).filter(message => message.author !== author)
      known = messages.length
      const last = fresh.at(-1)
      if (last !== undefined) root.textContent = `${last.person.name}: ${last.text}`
    }
  }
}

/** Who writes from this seat of this browser, whatever they call themselves. */
function rememberedAuthor(seat: Participant['seat']): string {
  const key = `author.${seat}`
  const known = recall(key)
  if (known !== null) return known
  const made = newId()
  remember(key, made)
  return made
}
