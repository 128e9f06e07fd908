// Who has which card in hand or open, as awareness tells it.
import type { Awareness } from 'y-protocols/awareness'
import { type Person, personFrom } from '../person.ts'

export type Hold = { readonly card: string; readonly kind: 'moving' | 'reading' }
export type Holder = { readonly person: Person; readonly kind: Hold['kind'] }

const field = 'card'

/** Tells the room what this participant holds. */
export function announceHold(awareness: Awareness, hold: Hold | null): void {
  awareness.setLocalStateField(field, hold)
}

/** The others who hold something, by card. */
export function holdersOf(awareness: Awareness): ReadonlyMap<string, Holder> {
  const holders = new Map<string, Holder>()
  for (const [clientID, state] of awareness.getStates()) {
    const person = personFrom(state.user)
    const { card, kind } = (state[field] ?? {}) as Record<string, unknown>
    if (clientID === awareness.clientID || person === null || typeof card !== 'string') continue
    // Who moves a card is shown before who reads it.
    if (kind === 'moving' || !holders.has(card)) {
      holders.set(card, { person, kind: kind === 'moving' ? 'moving' : 'reading' })
    }
  }
  return holders
}
