// The frame every page puts around one participant: who it is, the switch that cuts it off, and how things stand.
// What is edited inside is the page's business: it fills `body`.
import type { ConnectionState } from './connection.ts'
import { element } from './dom.ts'
import type { Participant } from './participant.ts'
import { personEditor } from './person-editor.ts'
import { presenceRow } from './presence.ts'
import type { SaveState } from './saved.ts'

export type Pane = {
  readonly root: HTMLElement
  /** Where the page mounts its editor, board or canvas. */
  readonly body: HTMLElement
}

/** Builds the pane of a participant and keeps its words up to date. */
export function createPane(participant: Participant): Pane {
  const body = element('div', { class: 'pane-body' })
  const connection = element('span', { class: 'connection', role: 'status' })
  const saving = element('span', { class: 'saving' })
  const root = element(
    'section',
    { class: 'pane', 'data-pane': participant.seat },
    element('header', { class: 'pane-header' }, personEditor(participant), connectedSwitch(participant)),
    body,
    element('footer', { class: 'pane-footer' }, connection, saving, presenceRow(participant))
  )
  participant.person.watch(({ name, color }) => {
    root.setAttribute('aria-label', `${name}, ${participant.seat} pane`)
    root.style.setProperty('--person', color)
  })
  participant.connection.watch(state => {
    root.dataset.connection = state.phase
    connection.textContent = connectionWords(state)
  })
  participant.saving.watch(state => {
    saving.dataset.saving = state.phase
    saving.textContent = savingWords(state)
    saving.title = savingHint(state)
  })
  return { root, body }
}

/** Turned off, the pane is as alone as a laptop in a tunnel; turned on, it merges. */
function connectedSwitch({ provider, connection, seat }: Participant): HTMLElement {
  const input = element('input', {
    type: 'checkbox',
    role: 'switch',
    'aria-label': `Connected (${seat} pane)`
  })
  input.addEventListener('change', () => {
    if (input.checked) provider.connect()
    else provider.disconnect()
  })
  connection.watch(({ phase }) => {
    input.checked = phase !== 'cut' && phase !== 'refused'
  })
  const words = element('span', { 'aria-hidden': 'true' }, 'Connected')
  return element('label', { class: 'switch' }, words, input, element('span', { class: 'switch-track' }))
}

function connectionWords(state: ConnectionState): string {
  switch (state.phase) {
    case 'connecting':
      return 'Connecting…'
    case 'online':
      return 'Online'
    case 'cut':
      return 'Offline'
    case 'retrying':
      return 'Offline, retrying…'
    case 'refused':
      return `Refused: ${state.reason}`
    default:
      return state satisfies never
  }
}

function savingWords(state: SaveState): string {
  switch (state.phase) {
    case 'current':
      return 'In sync'
    case 'saving':
      return 'Saving…'
    case 'saved':
      return `Saved · ${Math.max(1, Math.round(state.roundTripMs))} ms`
    case 'offline':
      return state.unsavedEdits === 0
        ? ''
        : `${state.unsavedEdits} unsaved ${plural('edit', state.unsavedEdits)}`
    default:
      return state satisfies never
  }
}

function savingHint(state: SaveState): string {
  switch (state.phase) {
    case 'current':
      return 'This pane shows what the server has stored, and has nothing of its own to save.'
    case 'saving':
      return 'Sent; the server has not yet said that it is stored.'
    case 'saved':
      return 'The server said that everything sent before is stored; the figure is how long that answer took.'
    case 'offline':
      return 'These edits are in this pane only. They are sent when it is connected again.'
    default:
      return state satisfies never
  }
}

function plural(noun: string, count: number): string {
  return count === 1 ? noun : `${noun}s`
}
