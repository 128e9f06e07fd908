// The board of one pane: lists and cards on the page, kept as the document says.
import { arrange } from '../arrange.ts'
import { element } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import type { Participant } from '../participant.ts'
import { undoButtons } from '../undo-buttons.ts'
import { cardPanel } from './card-panel.ts'
import { type CardView, cardView } from './card-view.ts'
import { followDragging } from './dragging.ts'
import { filterFields, filterLists } from './filter.ts'
import { announceHold, holdersOf } from './holders.ts'
import { followLifting, placeOf } from './lifting.ts'
import { addForm, type ListView, listView } from './list-view.ts'
import {
  addCard,
  addList,
  type Card,
  type List,
  moveCard,
  openBoard,
  readLists,
  removeList,
  renameList,
  type Spot
} from './model.ts'

type OnPage<View> = { readonly view: View; release(): void }

/** Builds the board inside `body`; it lives as long as the page. */
export function mountBoard(participant: Participant, body: HTMLElement): void {
  const { doc, seat, provider } = participant
  const { awareness } = provider
  const board = openBoard(doc)
  const cards = new Map<string, OnPage<CardView>>()
  const lists = new Map<string, OnPage<ListView>>()
  let inHand: string | null = null
  let current: string | null = null

  const hintId = `board-hint-${seat}`
  const hint = element(
    'p',
    { id: hintId, hidden: true },
    'Enter opens the card. Space lifts it, to be moved by the arrows.'
  )
  const speaker = element('p', { class: 'visually-hidden', 'aria-live': 'assertive' })
  const { fields, filter } = filterFields()
  const bar = element('div', { class: 'board-bar' }, ...fields, ...undoButtons(body, board.undo))
  const row = element('ol', { class: 'board-lists', 'aria-label': `Lists, ${seat} pane` })
  const extra = element(
    'li',
    { class: 'board-list is-new' },
    addForm('Add a list', title => addList(board, title))
  )
  const panel = cardPanel(participant, board, card => {
    hold(null)
    focusCard(card)
  })

  const shownLists = () => filterLists(readLists(board), filter.value)
  const render = () => {
    const all = readLists(board)
    const shown = lifting.preview(filterLists(all, filter.value))
    const holders = holdersOf(awareness)
    const found = shown.flatMap(list => list.cards)
    if (!found.some(({ id }) => id === current)) current = found[0]?.id ?? null
    for (const card of found) {
      const { view } = cardOnPage(card.id)
      const isLifted = lifting.card === card.id
      view.show(card, { holder: holders.get(card.id) ?? null, isLifted, isInHand: inHand === card.id })
      view.face.tabIndex = card.id === current ? 0 : -1
    }
    const items = shown.map(list => {
      const { view } = listOnPage(list.id)
      view.show(
        list,
        list.cards.map(({ id }) => cardOnPage(id).view.root)
      )
      return view.root
    })
    arrange(row, [...items, extra])
    forget(cards, new Set(all.flatMap(list => list.cards.map(({ id }) => id))))
    forget(lists, new Set(all.map(({ id }) => id)))
    panel.show(all)
  }
  const renderSoon = oncePerFrame(render)

  function hold(card: string | null): void {
    inHand = card
    announceHold(awareness, card === null ? null : { card, kind: 'moving' })
    renderSoon()
  }
  function dropped(card: string, spot: Spot): void {
    current = card
    moveCard(board, card, spot)
  }
  function focusCard(card: string): void {
    render()
    cards.get(card)?.view.face.focus()
  }
  function open(card: Card): void {
    current = card.id
    panel.open(card)
    announceHold(awareness, { card: card.id, kind: 'reading' })
    render()
  }

  const dragging = followDragging({ lists: shownLists, held: hold, dropped })
  const lifting = followLifting({
    lists: shownLists,
    changed: focusCard,
    held: hold,
    dropped,
    announce: words => {
      speaker.textContent = words
    }
  })

  function cardOnPage(id: string): OnPage<CardView> {
    const known = cards.get(id)
    if (known !== undefined) return known
    const view = cardView(id, hintId)
    const where = () => ({ card: id, list: placeOf(shownLists(), id)?.list.id ?? '' })
    bindFace(view.face, id)
    const made = { view, release: dragging.addCard(view.root, view.face, where) }
    cards.set(id, made)
    return made
  }
  function bindFace(face: HTMLElement, id: string): void {
    const openThis = () => {
      const card = shownLists()
        .flatMap(list => list.cards)
        .find(candidate => candidate.id === id)
      if (card !== undefined) open(card)
    }
    face.addEventListener('click', openThis)
    face.addEventListener('focus', () => {
      current = id
      renderSoon()
    })
    // Whoever leaves a lifted card by Tab or pointer has put nothing down. A move of the element passes at once.
    face.addEventListener('blur', () =>
      queueMicrotask(() => {
        if (lifting.card === id && !face.contains(document.activeElement)) lifting.cancel()
      })
    )
    face.addEventListener('keydown', event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if (lifting.keyPressed(event.key, id)) event.preventDefault()
      else if (event.key === 'Enter') openThis()
      else if (event.key.startsWith('Arrow')) {
        event.preventDefault()
        focusCard(neighbour(shownLists(), id, event.key))
      }
    })
  }
  function listOnPage(id: string): OnPage<ListView> {
    const known = lists.get(id)
    if (known !== undefined) return known
    const view = listView(id, {
      rename: title => renameList(board, id, title),
      remove: () => removeList(board, id),
      add: title => addCard(board, id, title)
    })
    const made = { view, release: dragging.addList(view.root, id) }
    lists.set(id, made)
    return made
  }

  body.append(element('div', { class: 'board' }, bar, row, panel.root, hint, speaker))
  for (const type of [board.lists, board.cards]) type.observeDeep(renderSoon)
  awareness.on('change', renderSoon)
  filter.watch(renderSoon)
}

/** The card an arrow leads to from a card; itself where there is none. */
function neighbour(lists: readonly List[], card: string, key: string): string {
  const place = placeOf(lists, card)
  if (place === null) return card
  const { list, listIndex, index } = place
  if (key === 'ArrowUp') return list.cards[index - 1]?.id ?? card
  if (key === 'ArrowDown') return list.cards[index + 1]?.id ?? card
  const step = key === 'ArrowLeft' ? -1 : 1
  for (let at = listIndex + step; at >= 0 && at < lists.length; at += step) {
    const beside = lists[at]?.cards ?? []
    const found = beside[Math.min(index, beside.length - 1)]
    if (found !== undefined) return found.id
  }
  return card
}

function forget<View>(known: Map<string, OnPage<View>>, present: ReadonlySet<string>): void {
  for (const [id, { release }] of known) {
    if (present.has(id)) continue
    release()
    known.delete(id)
  }
}
