// What the page shows where the server has no child to kill: why, and how to change it.
import { element } from '../dom.ts'
import type { Refusal } from './child-server.ts'

const notes: Record<Refusal | 'unreachable', readonly [why: string, how: string]> = {
  off: [
    'This server has its Chaos page switched off: it listens for other machines, or people sign in, or its operator said so. Whoever may use this page may start and kill a process there.',
    'To switch it on, start a server on this machine with npx y-chorus, or say --chaos on where strangers may.'
  ],
  elsewhere: [
    'This page came through a proxy, or under a name that is not this machine’s own. The Chaos page is for people at the machine the server runs on: whoever may use it may start and kill a process there.',
    'Open it at http://localhost and the server’s port, or start the server with --chaos on.'
  ],
  'other-origin': [
    'This page was not sent by the server that it asks.',
    'Open it at the server’s own address.'
  ],
  unreachable: [
    'No server answers, or it is one without a Chaos page.',
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
