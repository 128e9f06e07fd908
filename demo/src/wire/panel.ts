// The wire view: what passes between the panes of this page and the server, while it is open.
import '../wire.css'
import { element, find, icon } from '../dom.ts'
import { atMostEvery } from '../frames.ts'
import type { Participant } from '../participant.ts'
import { createDeleters } from './deleters.ts'
import { type Filter, filterControls } from './filter.ts'
import type { Listening } from './listening.ts'
import { listenTo } from './listening.ts'
import { createPeople } from './people.ts'
import { type Recording, record } from './recorder.ts'
import { createRowList, rowsMax } from './row-list.ts'
import { counted } from './words.ts'

export type WirePanel = { open(listenings: readonly Listening[]): void; close(): void }

const intervalMs = 60
const closeIcon = 'M5 5l10 10M15 5 5 15'

/** Builds the view into the page's `#wire`; `onClose` is told when it was closed from within. */
export function createWirePanel(participants: readonly Participant[], onClose: () => void): WirePanel {
  const people = createPeople(participants.map(({ provider }) => provider.awareness))
  const deleters = createDeleters()
  const list = createRowList(participants)
  let recordings: readonly Recording[] = []
  let decoded = 0
  let ids = 0

  const showCount = () => {
    const held =
      list.size() === rowsMax
        ? `the last ${rowsMax} of ${counted(decoded, 'message')}`
        : counted(decoded, 'message')
    count.textContent = isPaused() ? `Paused · ${held}` : held
    root.dataset.decoded = String(decoded)
  }
  const takeSoon = atMostEvery(intervalMs, () => {
    people.look()
    const heard = recordings.flatMap(recording => recording.heard()).sort((a, b) => a.atMs - b.atMs)
    const read = heard.map(({ decode }) => decode())
    decoded += read.length
    list.add(read.map(({ row }) => row))
    list.refresh(read.flatMap(({ confirmed }) => confirmed))
    showCount()
  })

  function start(begun: readonly Listening[]): void {
    recordings = begun.map((listening, index) => {
      const participant = participants[index]
      if (participant === undefined) throw new Error('a listening without a pane')
      return record(participant, { listening, people, deleters, nextId: () => ++ids })
    })
    for (const listening of begun) listening.onPassage(takeSoon)
  }
  function stop(): void {
    list.refresh(recordings.flatMap(recording => recording.end()))
    recordings = []
  }

  const count = element('span', { class: 'wire-count' })
  const pause = element('button', { class: 'button', type: 'button', 'aria-pressed': 'false' }, 'Pause')
  const isPaused = () => pause.getAttribute('aria-pressed') === 'true'
  const setPaused = (paused: boolean) => {
    pause.setAttribute('aria-pressed', String(paused))
    if (paused) stop()
    else start(participants.map(listenTo))
    showCount()
  }
  pause.addEventListener('click', () => setPaused(!isPaused()))
  const clear = button('Clear', () => {
    list.clear()
    decoded = 0
    showCount()
  })
  const shut = element(
    'button',
    { class: 'icon-button', type: 'button', 'aria-label': 'Close the wire view' },
    icon(closeIcon)
  )
  const filter = filterControls((chosen: Filter) => list.filter(chosen))
  const tools = element('div', { class: 'wire-tools' }, filter, pause, clear, shut)
  const title = element('h2', { id: 'wire-title' }, 'Wire')
  const root = element(
    'section',
    { class: 'wire', 'aria-labelledby': 'wire-title', hidden: true },
    element('header', { class: 'wire-header' }, title, count, tools),
    list.root
  )
  const close = () => {
    root.hidden = true
    stop()
  }
  const closeFromWithin = () => {
    close()
    onClose()
  }
  shut.addEventListener('click', closeFromWithin)
  root.addEventListener('keydown', event => {
    if (event.key === 'Escape') closeFromWithin()
  })
  find('#wire').replaceChildren(root)
  return {
    open(begun) {
      root.hidden = false
      pause.setAttribute('aria-pressed', 'false')
      showCount()
      start(begun)
    },
    close
  }
}

function button(label: string, act: () => void): HTMLButtonElement {
  const made = element('button', { class: 'button', type: 'button' }, label)
  made.addEventListener('click', act)
  return made
}
