// Where a message is written: Enter sends it, Shift and Enter begin a new line.
import { element, icon } from '../dom.ts'
import { messageLengthMax } from './model.ts'

export type ComposerListeners = {
  sent(text: string): void
  pressed(): void
  left(): void
  /** Page keys belong to the history, also while writing. */
  paged(direction: number): void
}

const sendIcon = 'M3.500 10 17 3.500 12.500 17l-3-5.500zM9.500 11.500 17 3.500'

export function composer(label: string, { sent, pressed, left, paged }: ComposerListeners): HTMLElement {
  const field = element('textarea', {
    class: 'field chat-field',
    rows: '1',
    placeholder: 'Write a message',
    'aria-label': label,
    maxlength: String(messageLengthMax),
    enterkeyhint: 'send'
  })
  const button = element(
    'button',
    { class: 'icon-button chat-send', type: 'submit', 'aria-label': 'Send' },
    icon(sendIcon)
  )
  const form = element('form', { class: 'chat-composer' }, field, button)
  form.addEventListener('submit', event => {
    event.preventDefault()
    const text = field.value.trim()
    field.focus()
    if (text === '') return
    field.value = ''
    sent(text)
  })
  field.addEventListener('input', () => (field.value.trim() === '' ? left() : pressed()))
  field.addEventListener('blur', left)
  field.addEventListener('keydown', event => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault()
      form.requestSubmit()
    } else if (event.key === 'PageUp' || event.key === 'PageDown') {
      event.preventDefault()
      paged(event.key === 'PageUp' ? -1 : 1)
    }
  })
  return form
}
