// The person of each seat, as this browser remembers them.
import { type Person, personColors, personFrom, type Seat } from './person.ts'
import { recall, remember } from './storage.ts'

const firstNames = {
  left: ['Ada', 'Alan', 'Barbara', 'Claude', 'Edsger', 'Emmy', 'Grace', 'Hedy', 'Joan', 'Katherine'],
  right: ['Leslie', 'Lovisa', 'Margaret', 'Maurice', 'Niklaus', 'Radia', 'Rózsa', 'Sophie', 'Tim', 'Vint']
} as const satisfies Record<Seat, readonly string[]>

/** Returns the person last seen on this seat of this browser, or a new one. */
export function rememberedPerson(seat: Seat): Person {
  const known = personFrom(parse(recall(`person.${seat}`)))
  if (known !== null) return known
  const person = inventPerson(seat)
  rememberPerson(seat, person)
  return person
}

export function rememberPerson(seat: Seat, person: Person): void {
  remember(`person.${seat}`, JSON.stringify(person))
}

/** The seats draw from different halves of the palette, so that one page never shows two people in one colour. */
function inventPerson(seat: Seat): Person {
  const offset = seat === 'left' ? 0 : 1
  const choice = personColors[(Math.floor(Math.random() * 3) * 2 + offset) % personColors.length]
  const names = firstNames[seat]
  return {
    name: names[Math.floor(Math.random() * names.length)] ?? 'Ada',
    color: (choice ?? personColors[0]).color
  }
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}
