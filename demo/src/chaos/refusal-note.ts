// What the page shows where the server has no child to kill: why, and how to change it.
import { element } from '../dom.ts'
import type { Refusal } from './child-server.ts'

const notes: Record<Refusal | 'unreachable', readonly [why: string, how: string]> = {
  off: [
    'The Chaos page of this server is switched off: the server listens for other machines, or people sign in, or its operator decided so. A user of this page can start and kill a process there.',
    'Start a server on this machine with npx y-chorus, or set --chaos on if strangers may use it.'
  ],
  elsewhere: [
    'This page came through a proxy, or under a name that is not this machine’s own. The Chaos page is for people at the server’s machine: its users can start and kill a process there.',
    'Open it at http://localhost and the server’s port, or start the server with --chaos on.'
  ],
  'other-origin': [
    'This page comes from another server than the one it asks.',
    'Open it at the server’s own address.'
  ],
  unreachable: [
    'No server answers, or the server has no Chaos page.',
    'Start one with npx y-chorus and reload this page.'
  ]
}

/** Words for people, and nothing to press: what has to be done is not done here. */
export function refusalNote(refusal: Refusal | 'unreachable'): HTMLElement {
  const [why, how] = notes[refusal]
  return element(
    'section',
    { class: 'chaos-card refusal', role: 'status' },
    element('h2', {}, 'There is no server to kill here'),
    element('p', {}, why),
    element('p', {}, how)
  )
}
