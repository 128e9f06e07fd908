// Which rows are shown: all is recorded, some of it is hidden.
import { element } from '../dom.ts'
import type { WireRow } from './row.ts'

export type Filter = { readonly hasAwareness: boolean; readonly seat: 'both' | WireRow['seat'] }

export const everything: Filter = { hasAwareness: true, seat: 'both' }

export function isShown({ type, seat }: Pick<WireRow, 'type' | 'seat'>, filter: Filter): boolean {
  if (filter.seat !== 'both' && seat !== filter.seat) return false
  return filter.hasAwareness || (type !== 'Awareness' && type !== 'QueryAwareness')
}

/** A switch for awareness and a choice of panes. */
export function filterControls(onChange: (filter: Filter) => void): HTMLElement {
  const awareness = element('input', { type: 'checkbox', checked: true })
  const seat = element(
    'select',
    { class: 'field', 'aria-label': 'Panes shown' },
    element('option', { value: 'both' }, 'Both panes'),
    element('option', { value: 'left' }, 'Left pane'),
    element('option', { value: 'right' }, 'Right pane')
  )
  const tell = () => {
    const chosen = seat.value === 'left' || seat.value === 'right' ? seat.value : 'both'
    onChange({ hasAwareness: awareness.checked, seat: chosen })
  }
  awareness.addEventListener('change', tell)
  seat.addEventListener('change', tell)
  return element(
    'div',
    { class: 'wire-filter' },
    element('label', { class: 'wire-check' }, awareness, 'Awareness'),
    seat
  )
}
