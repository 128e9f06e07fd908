// On a narrow screen one pane is shown at a time: this is the switch between them.
import { element } from './dom.ts'
import type { Participant } from './participant.ts'
import { avatar } from './presence.ts'

/** Makes the switch; `panes` carries `data-shown`, and the style sheet hides the other pane where there is no room. */
export function seatSwitch(panes: HTMLElement, participants: readonly Participant[]): HTMLElement {
  const buttons = participants.map(({ seat, person }) => {
    const button = element('button', { type: 'button', 'aria-pressed': 'false', 'data-seat': seat })
    person.watch(shown => {
      button.replaceChildren(avatar(shown), element('span', {}, shown.name))
      button.style.setProperty('--person', shown.color)
    })
    button.addEventListener('click', () => show(seat))
    return button
  })
  const show = (seat: Participant['seat']) => {
    panes.dataset.shown = seat
    for (const button of buttons) button.setAttribute('aria-pressed', String(button.dataset.seat === seat))
  }
  show('left')
  return element('div', { class: 'seat-switch', role: 'group', 'aria-label': 'Pane shown' }, ...buttons)
}
