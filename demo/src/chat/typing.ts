// Who is writing something right now, as awareness tells it.
import { element } from '../dom.ts'
import type { Participant } from '../participant.ts'
import { personFrom } from '../person.ts'

const field = 'typing'
/** Who has not pressed a key for so long is thinking, not typing. */
const pauseMs = 3000

export type Typing = { pressed(): void; stopped(): void }

/** Tells the others while this participant types. */
export function announceTyping({ provider }: Participant): Typing {
  let timer: ReturnType<typeof setTimeout> | undefined
  let isTyping = false
  const set = (value: boolean) => {
    if (isTyping !== value) provider.awareness.setLocalStateField(field, value)
    isTyping = value
  }
  const stopped = () => {
    clearTimeout(timer)
    set(false)
  }
  return {
    stopped,
    pressed() {
      clearTimeout(timer)
      timer = setTimeout(stopped, pauseMs)
      set(true)
    }
  }
}

/** Makes the line that names the others who type. */
export function typingLine({ provider }: Participant): HTMLElement {
  const { awareness } = provider
  const words = element('span', {})
  const dots = element(
    'span',
    { class: 'typing-dots', 'aria-hidden': 'true' },
    ...['', '', ''].map(() => element('i', {}))
  )
  const line = element('p', { class: 'chat-typing', role: 'status' }, dots, words)
  const show = () => {
    const names = [...awareness.getStates()].flatMap(([clientID, state]) => {
      const person = personFrom(state.user)
      return clientID !== awareness.clientID && state[field] === true && person !== null ? [person.name] : []
    })
    const text = typingWords(names)
    if (words.textContent !== text) words.textContent = text
    line.dataset.typing = String(names.length > 0)
  }
  awareness.on('change', show)
  show()
  return line
}

function typingWords(names: readonly string[]): string {
  const [one, other] = names
  if (one === undefined) return ''
  if (other === undefined) return `${one} is typing`
  return names.length === 2 ? `${one} and ${other} are typing` : `${names.length} people are typing`
}
