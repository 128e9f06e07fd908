// One row of the wire view: a line to read, and on demand its bytes and what is in them.
import { element } from '../dom.ts'
import type { Person } from '../person.ts'
import { authorName } from './author.ts'
import { keptBytesMax, type WireRow } from './row.ts'
import { structLines } from './structs.ts'
import { counted, sizeWords } from './words.ts'

export type RowView = {
  readonly row: WireRow
  readonly root: HTMLElement
  readonly button: HTMLButtonElement
  /** Shows that it is durable now. */
  refresh(): void
}

const arrows = { sent: '↑', received: '↓', opened: '●', closed: '○', missed: '⋯' } as const
const directionWords = {
  sent: 'sent by',
  received: 'received by',
  opened: 'connection of',
  closed: 'connection of',
  missed: 'missed at'
} as const
const eventWords = {
  sent: '',
  received: '',
  opened: 'Connection',
  closed: 'Connection',
  missed: 'Gap'
} as const
const hexBytesMax = 512

/** Builds the row; `owner` is who sits at the pane, `startMs` the time it counts from. */
export function rowView(row: WireRow, owner: Person, startMs: number): RowView {
  const durable = element('span', { class: 'wire-durable' })
  const button = element(
    'button',
    { class: 'wire-line', type: 'button', 'aria-expanded': 'false', tabindex: '-1' },
    element('span', { class: 'wire-time' }, secondsWords(row.atMs - startMs)),
    paneCell(row, owner),
    element('span', { class: 'wire-type' }, row.type === '' ? eventWords[row.way] : row.type),
    element('span', { class: 'wire-author' }, ...authorCell(row)),
    element('span', { class: 'wire-words' }, row.words),
    durable,
    element('span', { class: 'wire-size' }, row.bytes === 0 ? '' : sizeWords(row.bytes)),
    element('span', { class: 'wire-dialect' }, row.dialect)
  )
  const root = element(
    'li',
    { class: 'wire-row', 'data-way': row.way, 'data-type': row.type, 'data-seat': row.seat },
    button
  )
  button.addEventListener('click', () => {
    const isOpen = button.getAttribute('aria-expanded') !== 'true'
    button.setAttribute('aria-expanded', String(isOpen))
    if (!isOpen) return root.querySelector('.wire-details')?.remove()
    root.append(details(row))
    root.scrollIntoView({ block: 'nearest' })
    // Where not all of it fits, its line stays in sight.
    button.scrollIntoView({ block: 'nearest' })
  })
  const refresh = () => showDurable(durable, row)
  refresh()
  return { row, root, button, refresh }
}

function paneCell({ way, seat }: WireRow, owner: Person): HTMLElement {
  const cell = element(
    'span',
    { class: 'wire-pane' },
    element('span', { class: 'wire-arrow', 'aria-hidden': 'true' }, arrows[way]),
    element('span', { class: 'visually-hidden' }, `${directionWords[way]} `),
    element('span', { class: 'wire-seat' }, seat),
    element('span', { class: 'visually-hidden' }, ' pane')
  )
  cell.style.setProperty('--person', owner.color)
  return cell
}

const authorsShown = 2

function authorCell({ authors }: WireRow): Node[] {
  const shown = authors.slice(0, authorsShown).map(author => {
    const dot = element('span', { class: 'wire-dot', 'aria-hidden': 'true' })
    dot.style.setProperty('--person', author.person?.color ?? 'var(--line-strong)')
    return element('span', { class: 'wire-name' }, dot, authorName(author))
  })
  if (authors.length > authorsShown) shown.push(element('span', {}, `+${authors.length - authorsShown}`))
  return shown
}

/** y-websocket has no acknowledgement: its barrier waits for a pause in typing, so the figure is an upper bound. */
function showDurable(cell: HTMLElement, { durable, dialect }: WireRow): void {
  cell.dataset.durable = durable.phase
  if (durable.phase !== 'durable') {
    cell.textContent = durable.phase === 'waiting' ? 'not yet confirmed' : ''
    return
  }
  const isBound = dialect === 'y-websocket'
  cell.textContent = `durable after ${isBound ? '≤ ' : ''}${Math.max(1, Math.round(durable.afterMs))} ms`
  cell.title = isBound
    ? 'This dialect has no acknowledgement. The page asks with a SyncStep1 after a pause in typing, and the answer comes when everything before it is on disk.'
    : 'The server acknowledged this message (SyncStatus) when it was on disk.'
}

function details(row: WireRow): HTMLElement {
  const facts = [
    `${row.dialect}, connection ${row.connection} of the ${row.seat} pane`,
    ...(row.address === null ? [] : [`room in the frame: ${row.address.replaceAll('\0', '␀')}`]),
    ...(row.authors.length === 0 ? [] : [`by ${row.authors.map(authorWords).join(', ')}`]),
    ...(row.bytes === 0 ? [] : [counted(row.bytes, 'byte')])
  ]
  const root = element(
    'div',
    { class: 'wire-details' },
    element('p', { class: 'wire-facts' }, facts.join(' · '))
  )
  if (row.effects.length > 1) root.append(part('What it did', row.effects.join('\n'), row))
  const structs = structsText(row)
  if (structs !== '') root.append(part('Decoded, as client:clock', structs, row))
  if (row.bytes > 0) root.append(part('Bytes', hexDump(row.head, row.bytes), row))
  return root
}

function authorWords(author: WireRow['authors'][number]): string {
  return author.person === null ? authorName(author) : `${author.person.name} (client ${author.clientID})`
}

function part(title: string, text: string, { id }: WireRow): HTMLElement {
  // Long lines scroll sideways; without a mouse that needs the focus, and what takes the focus needs a name.
  const block = element(
    'pre',
    { tabindex: '0', role: 'region', 'aria-label': `${title} of message ${id}` },
    text
  )
  return element('div', { class: 'wire-part' }, element('h3', {}, title), block)
}

function structsText({ type, update }: WireRow): string {
  if (type !== 'Update' && type !== 'SyncStep2') return ''
  if (update === null) return `of more than ${sizeWords(keptBytesMax)} only the first bytes are kept`
  const lines = structLines(update)
  return lines.length === 0 ? 'no structs, no deletions' : lines.join('\n')
}

/** Sixteen bytes a line: where, in hexadecimal, as text. */
export function hexDump(bytes: Uint8Array, total: number): string {
  const lines: string[] = []
  for (let at = 0; at < Math.min(bytes.length, hexBytesMax); at += 16) {
    const line = bytes.subarray(at, at + 16)
    const hex = Array.from(line, byte => byte.toString(16).padStart(2, '0')).join(' ')
    const text = Array.from(line, byte => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·')).join(
      ''
    )
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(47)}  ${text}`)
  }
  if (total > hexBytesMax) lines.push(`and ${counted(total - hexBytesMax, 'byte')} more`)
  return lines.join('\n')
}

function secondsWords(ms: number): string {
  return (ms / 1000).toFixed(3)
}
