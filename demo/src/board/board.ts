// The board of one pane: lists and cards on the page, kept as the document says.
import { arrange } from '../arrange.ts'
import { element } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import type { Participant } from '../participant.ts'
import { undoButtons } from '../undo-buttons.ts'
import { type CardPanel, cardPanel } from './card-panel.ts'
import { type CardView, cardView } from './card-view.ts'
import { type Dragging, followDragging } from './dragging.ts'
import { filterFields, filterLists } from './filter.ts'
import { announceHold, holdersOf } from './holders.ts'
import { followLifting, type Lifting, neighbourOf, placeOf } from './lifting.ts'
import { addForm, type ListView, listView } from './list-view.ts'
import {
  addCard,
  addList,
  type Board,
  type Card,
  type List,
  moveCard,
  openBoard,
  readLists,
  removeList,
  renameList,
  type Spot
} from './model.ts'

/** A view on the page, and what lets go of it. */
type OnPage<View> = { readonly view: View; release(): void }

/** Builds the board inside `body`; it lives as long as the page. */
export function mountBoard(participant: Participant, body: HTMLElement): void {
  const view = new BoardView(participant)
  body.append(view.build(body))
  view.follow()
}

class BoardView {
  readonly #participant: Participant
  readonly #board: Board
  readonly #dragging: Dragging
  readonly #lifting: Lifting
  readonly #panel: CardPanel
  readonly #filtering = filterFields()
  readonly #cards = new Map<string, OnPage<CardView>>()
  readonly #lists = new Map<string, OnPage<ListView>>()
  readonly #row: HTMLElement
  readonly #newList: HTMLElement
  readonly #speaker = element('p', { class: 'visually-hidden', 'aria-live': 'assertive' })
  readonly #hint: HTMLElement
  readonly #renderSoon = oncePerFrame(() => this.#render())
  /** The card that is being dragged or lifted here. */
  #inHand: string | null = null
  /** The one card that Tab leads to. */
  #current: string | null = null

  constructor(participant: Participant) {
    const { doc, seat } = participant
    this.#participant = participant
    this.#board = openBoard(doc)
    this.#row = element('ol', { class: 'board-lists', 'aria-label': `Lists, ${seat} pane` })
    const words = 'Enter opens the card. Space lifts it, to be moved by the arrows.'
    this.#hint = element('p', { id: `board-hint-${seat}`, hidden: true }, words)
    const form = addForm('Add a list', title => addList(this.#board, title))
    this.#newList = element('li', { class: 'board-list is-new' }, form)
    this.#panel = cardPanel(participant, this.#board, card => {
      this.#hold(null)
      this.#focus(card)
    })
    const moves = {
      lists: () => this.#shown(),
      held: (card: string | null) => this.#hold(card),
      dropped: (card: string, spot: Spot) => this.#drop(card, spot)
    }
    this.#dragging = followDragging(moves)
    this.#lifting = followLifting({
      ...moves,
      changed: card => this.#focus(card),
      announce: said => {
        this.#speaker.textContent = said
      }
    })
  }

  /** Makes the elements; undo's keys are heard inside `body`. */
  build(body: HTMLElement): HTMLElement {
    const buttons = undoButtons(body, this.#board.undo)
    const bar = element('div', { class: 'board-bar' }, ...this.#filtering.fields, ...buttons)
    return element('div', { class: 'board' }, bar, this.#row, this.#panel.root, this.#hint, this.#speaker)
  }

  /** Shows the board now and after every change. */
  follow(): void {
    for (const type of [this.#board.lists, this.#board.cards]) type.observeDeep(this.#renderSoon)
    this.#participant.provider.awareness.on('change', this.#renderSoon)
    this.#filtering.filter.watch(this.#renderSoon)
  }

  #shown(): readonly List[] {
    return filterLists(readLists(this.#board), this.#filtering.filter.value)
  }

  #render(): void {
    const all = readLists(this.#board)
    const shown = this.#lifting.preview(filterLists(all, this.#filtering.filter.value))
    this.#showCards(shown.flatMap(({ cards }) => cards))
    const items = shown.map(list => {
      const { view } = this.#listOnPage(list.id)
      view.show(
        list,
        list.cards.map(({ id }) => this.#cardOnPage(id).view.root)
      )
      return view.root
    })
    arrange(this.#row, [...items, this.#newList])
    forget(this.#cards, new Set(all.flatMap(({ cards }) => cards.map(({ id }) => id))))
    forget(this.#lists, new Set(all.map(({ id }) => id)))
    this.#panel.show(all)
  }

  #showCards(cards: readonly Card[]): void {
    const holders = holdersOf(this.#participant.provider.awareness)
    if (!cards.some(({ id }) => id === this.#current)) this.#current = cards[0]?.id ?? null
    for (const card of cards) {
      const { view } = this.#cardOnPage(card.id)
      const isLifted = this.#lifting.card === card.id
      view.show(card, { holder: holders.get(card.id) ?? null, isLifted, isInHand: this.#inHand === card.id })
      view.face.tabIndex = card.id === this.#current ? 0 : -1
    }
  }

  #hold(card: string | null): void {
    this.#inHand = card
    announceHold(this.#participant.provider.awareness, card === null ? null : { card, kind: 'moving' })
    this.#renderSoon()
  }

  #drop(card: string, spot: Spot): void {
    this.#current = card
    moveCard(this.#board, card, spot)
  }

  #focus(card: string): void {
    this.#render()
    this.#cards.get(card)?.view.face.focus()
  }

  #open(id: string): void {
    const card = placeOf(this.#shown(), id)?.card
    if (card === undefined) return
    this.#current = id
    this.#panel.open(card)
    announceHold(this.#participant.provider.awareness, { card: id, kind: 'reading' })
    this.#render()
  }

  #cardOnPage(id: string): OnPage<CardView> {
    const known = this.#cards.get(id)
    if (known !== undefined) return known
    const view = cardView(id, this.#hint.id)
    const where = () => ({ card: id, list: placeOf(this.#shown(), id)?.list.id ?? '' })
    this.#bindFace(view.face, id)
    const made = { view, release: this.#dragging.addCard(view.root, view.face, where) }
    this.#cards.set(id, made)
    return made
  }

  #bindFace(face: HTMLElement, id: string): void {
    face.addEventListener('click', () => this.#open(id))
    face.addEventListener('focus', () => {
      this.#current = id
      this.#renderSoon()
    })
    // Whoever leaves a lifted card by Tab or pointer has put nothing down. A move of the element passes at once.
    face.addEventListener('blur', () =>
      queueMicrotask(() => {
        if (this.#lifting.card === id && document.activeElement !== face) this.#lifting.cancel()
      })
    )
    face.addEventListener('keydown', event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if (this.#lifting.keyPressed(event.key, id)) event.preventDefault()
      else if (event.key === 'Enter') this.#open(id)
      else if (event.key.startsWith('Arrow')) {
        event.preventDefault()
        this.#focus(neighbourOf(this.#shown(), id, event.key))
      }
    })
  }

  #listOnPage(id: string): OnPage<ListView> {
    const known = this.#lists.get(id)
    if (known !== undefined) return known
    const view = listView(id, {
      rename: title => renameList(this.#board, id, title),
      remove: () => removeList(this.#board, id),
      add: title => addCard(this.#board, id, title)
    })
    const made = { view, release: this.#dragging.addList(view.root, id) }
    this.#lists.set(id, made)
    return made
  }
}

function forget<View>(known: Map<string, OnPage<View>>, present: ReadonlySet<string>): void {
  for (const [id, { release }] of known) {
    if (present.has(id)) continue
    release()
    known.delete(id)
  }
}
