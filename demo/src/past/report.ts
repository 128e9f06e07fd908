// One line that says how what somebody asked for went. It holds the place of its words, so that nothing moves.
import { element } from '../dom.ts'
import { PastError } from './client.ts'

export type Report = {
  readonly root: HTMLElement
  say(words: string): void
  /** Says what `act` resolves to, or why it failed; `button` waits meanwhile. */
  during(button: HTMLButtonElement, act: () => Promise<string>): void
}

export function createReport(): Report {
  const root = element('p', { class: 'past-report', role: 'status' })
  const say = (words: string) => {
    root.textContent = words
  }
  const run = async (button: HTMLButtonElement, act: () => Promise<string>) => {
    if (button.getAttribute('aria-busy') === 'true') return
    // Not disabled: that would take the focus away.
    button.setAttribute('aria-busy', 'true')
    try {
      say(await act())
    } catch (error) {
      if (!(error instanceof PastError)) throw error
      say(error.message)
    } finally {
      button.removeAttribute('aria-busy')
    }
  }
  return { root, say, during: (button, act) => void run(button, act) }
}
