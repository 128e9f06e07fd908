// The rows in the order in which they passed: the newest last, in sight as long as nobody scrolls away or looks into
// a row; a bounded number of them; one tab stop, arrow keys inside.
import { element } from '../dom.ts'
import type { Participant } from '../participant.ts'
import { everything, type Filter, isShown } from './filter.ts'
import type { WireRow } from './row.ts'
import { type RowView, rowView } from './row-view.ts'

export const rowsMax = 500

export type RowList = {
  readonly root: HTMLElement
  add(rows: readonly WireRow[]): void
  refresh(rows: readonly WireRow[]): void
  filter(filter: Filter): void
  clear(): void
  size(): number
}

/** How near to the end counts as being there. */
const endPixels = 40
const columns = ['Second', 'Pane', 'Message', 'Author', 'What it did', 'On disk', 'Size', 'Dialect']

export function createRowList(participants: readonly Participant[]): RowList {
  const views = new Map<number, RowView>()
  const owners = new Map(participants.map(({ seat, person }) => [seat, person]))
  let filter = everything
  let startMs: number | null = null
  const items = element('ol', { class: 'wire-rows', 'aria-label': 'Messages, oldest first' })
  const empty = element(
    'p',
    { class: 'wire-empty' },
    'Nothing has passed since this was opened. Change something in a pane, or turn “Connected” off and on to see two replicas find out what they lack.'
  )
  const heads = columns.map(name => element('span', {}, name))
  const scroller = element(
    'div',
    { class: 'wire-scroller' },
    element('div', { class: 'wire-columns', 'aria-hidden': 'true' }, ...heads),
    items,
    empty
  )

  const isPressed = pressWatch(scroller)
  const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < endPixels
  const keepEnd = (act: () => void) => {
    const wasAtEnd = atEnd() && !isPressed() && !isReading(scroller)
    act()
    empty.hidden = items.querySelector(':scope > li:not([hidden])') !== null
    ensureTabStop(items)
    if (wasAtEnd) scroller.scrollTop = scroller.scrollHeight
  }

  moveByKeys(items)
  return {
    root: scroller,
    add(rows) {
      // Those that would be dropped at once are not even built.
      const kept = rows.slice(-rowsMax)
      keepEnd(() => {
        for (const row of kept) {
          startMs ??= row.atMs
          const owner = owners.get(row.seat)
          if (owner === undefined) throw new Error(`no pane ${row.seat}`)
          const view = rowView(row, owner.value, startMs)
          view.root.hidden = !isShown(row, filter)
          views.set(row.id, view)
          items.append(view.root)
        }
        dropOldest(views)
      })
    },
    refresh(rows) {
      for (const { id } of rows) views.get(id)?.refresh()
    },
    filter(chosen) {
      filter = chosen
      keepEnd(() => {
        for (const { row, root } of views.values()) root.hidden = !isShown(row, filter)
      })
    },
    clear() {
      keepEnd(() => {
        views.clear()
        items.replaceChildren()
        startMs = null
      })
    },
    size: () => views.size
  }
}

/** A line that moves between press and release is never clicked. */
function pressWatch(scroller: HTMLElement): () => boolean {
  let isPressed = false
  const released = () => {
    isPressed = false
  }
  scroller.addEventListener('pointerdown', () => {
    isPressed = true
  })
  for (const type of ['pointerup', 'pointercancel']) window.addEventListener(type, released)
  return () => isPressed
}

/** Whether the inside of a row is in sight. */
function isReading(scroller: HTMLElement): boolean {
  const { top, bottom } = scroller.getBoundingClientRect()
  return [...scroller.querySelectorAll('.wire-details')].some(details => {
    const rect = details.getBoundingClientRect()
    return rect.bottom > top && rect.top < bottom
  })
}

function dropOldest(views: Map<number, RowView>): void {
  for (const [id, { root }] of views) {
    if (views.size <= rowsMax) return
    root.remove()
    views.delete(id)
  }
}

function lines(items: HTMLElement): HTMLButtonElement[] {
  return [...items.querySelectorAll<HTMLButtonElement>(':scope > li:not([hidden]) > .wire-line')]
}

/** The tab key comes to the newest row, unless the focus was somewhere in the list already. */
function ensureTabStop(items: HTMLElement): void {
  const focused = document.activeElement
  if (focused instanceof HTMLElement && items.contains(focused)) return
  items.querySelector<HTMLElement>('.wire-line[tabindex="0"]')?.setAttribute('tabindex', '-1')
  let last = items.lastElementChild
  while (last instanceof HTMLElement && last.hidden) last = last.previousElementSibling
  last?.firstElementChild?.setAttribute('tabindex', '0')
}

function moveByKeys(items: HTMLElement): void {
  items.addEventListener('keydown', event => {
    if (!(event.target instanceof HTMLButtonElement)) return
    const all = lines(items)
    const at = all.indexOf(event.target)
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 }[event.key]
    const next = to === undefined ? undefined : all[to]
    if (next === undefined) return
    event.preventDefault()
    event.target.tabIndex = -1
    next.tabIndex = 0
    next.focus()
  })
}
