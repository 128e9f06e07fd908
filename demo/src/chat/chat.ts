// The chat of one pane: history, who is typing, and where one writes.
import { element, icon } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import { newId } from '../id.ts'
import type { Participant } from '../participant.ts'
import { recall, remember } from '../storage.ts'
import { composer } from './composer.ts'
import { createHistory } from './history.ts'
import { type Message, messagesOf, readMessages, sendMessage } from './model.ts'
import { announceTyping, typingLine } from './typing.ts'
import { followReading } from './unread.ts'

const downIcon = 'M10 4v11M5.500 10.500 10 15l4.500-4.500'

/** Builds the chat inside `body`; it lives as long as the page. `unreadChanged` is told how many are unread. */
export function mountChat(
  participant: Participant,
  body: HTMLElement,
  { room, unreadChanged }: { room: string; unreadChanged(count: number): void }
): void {
  const { doc, seat, person } = participant
  const author = rememberedAuthor(seat)
  const reading = followReading({ room, seat, author })
  let messages: readonly Message[] = []
  let announced: number | null = null

  const history = createHistory({
    label: `Messages, ${seat} pane`,
    isOwn: message => message.author === author,
    scrolled: () => showUnread()
  })
  const empty = element('p', { class: 'chat-empty' }, 'Nobody has said anything yet. Begin.')
  const speaker = element('p', { class: 'visually-hidden', 'aria-live': 'polite' })
  const count = element('span', {})
  const jump = element('button', { class: 'chat-jump', type: 'button', hidden: true }, icon(downIcon), count)
  jump.addEventListener('click', () => history.scrollToEnd())
  const typing = announceTyping(participant)
  const writing = composer(`Message, ${seat} pane`, {
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
  const upper = element('div', { class: 'chat-room' }, history.root, empty, jump)
  body.append(element('div', { class: 'chat' }, upper, typingLine(participant), writing, speaker))

  /** Read is what is in view at the end of a page that is looked at. */
  const isWatched = () => !document.hidden && history.root.clientHeight > 0 && history.isAtEnd()

  function showUnread(): void {
    if (isWatched()) reading.read(messages)
    const unread = reading.after(messages)
    const first = unread[0]
    if (first !== undefined) history.markUnread(first.id)
    jump.hidden = history.isAtEnd()
    count.textContent = unread.length === 0 ? 'Latest' : `${unread.length} new`
    jump.classList.toggle('has-unread', unread.length > 0)
    unreadChanged(unread.length)
  }

  function announce(): void {
    const fresh =
      announced === null ? [] : messages.slice(announced).filter(message => message.author !== author)
    announced = messages.length
    const last = fresh.at(-1)
    if (last !== undefined) speaker.textContent = `${last.person.name}: ${last.text}`
  }

  const show = oncePerFrame(() => {
    messages = readMessages(doc)
    empty.hidden = messages.length > 0
    history.show(messages)
    showUnread()
    announce()
  })
  messagesOf(doc).observe(show)
  document.addEventListener('visibilitychange', show)
  new ResizeObserver(show).observe(history.root)
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
