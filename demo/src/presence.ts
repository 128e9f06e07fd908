// Who is here, as one participant sees it: a row of avatars from the awareness states.
import { element } from './dom.ts'
import { oncePerFrame } from './frames.ts'
import type { Participant } from './participant.ts'
import { initials, type Person, personFrom } from './person.ts'

const avatarsMax = 5
const stranger: Person = { name: 'Someone', color: '#6b7673' }

/** Makes the row; it follows the room until the page is left. */
export function presenceRow(participant: Participant): HTMLElement {
  const list = element('ul', {
    class: 'presence',
    'aria-label': 'People in this room, as this pane sees them'
  })
  const { awareness } = participant.provider
  let shown = ''
  const show = () => {
    const people = peopleOf(participant)
    // Awareness changes with every movement of a cursor; people come, go and rename themselves rarely.
    const words = JSON.stringify([people.length, people.slice(0, avatarsMax)])
    if (words === shown) return
    shown = words
    const avatars = people.slice(0, avatarsMax).map(({ person, isSelf }) => avatarItem(person, isSelf))
    const rest = people.length - avatarsMax
    if (rest > 0) avatars.push(element('li', { class: 'avatar rest', title: `${rest} more` }, `+${rest}`))
    list.replaceChildren(...avatars)
  }
  awareness.on('change', oncePerFrame(show))
  show()
  return list
}

/** A round picture of a person; the name is said by what stands beside it. */
export function avatar(person: Person): HTMLElement {
  const circle = element('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(person.name))
  circle.style.setProperty('--person', person.color)
  return circle
}

type Present = { readonly person: Person; readonly isSelf: boolean }

/** Oneself first, the others by clientID, so that nobody jumps about. */
function peopleOf({ provider }: Participant): Present[] {
  const { awareness } = provider
  return [...awareness.getStates()]
    .map(([clientID, state]) => ({
      clientID,
      person: personFrom(state.user) ?? stranger,
      isSelf: clientID === awareness.clientID
    }))
    .sort((a, b) => Number(b.isSelf) - Number(a.isSelf) || a.clientID - b.clientID)
}

function avatarItem(person: Person, isSelf: boolean): HTMLElement {
  const label = isSelf ? `${person.name} (this pane)` : person.name
  return element('li', { title: label }, avatar(person), element('span', { class: 'visually-hidden' }, label))
}
