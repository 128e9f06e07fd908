// The button that opens the wire view. All of the view is fetched when it is first opened; until then, and while it is
// closed, nothing is kept and nothing is decoded.
import { find } from './dom.ts'
import type { Participant } from './participant.ts'
import { recall, remember } from './storage.ts'
import { type Listening, listenTo } from './wire/listening.ts'

/** On a phone the view covers the page, so it does not come by itself there. */
const isNarrow = matchMedia('(max-width: 760px)')

/** Makes the page's button open and close the view of what its panes send and receive. */
export function bindWire(participants: readonly Participant[]): void {
  const button = find('#open-wire')
  const setOpen = (isOpen: boolean) => {
    button.setAttribute('aria-expanded', String(isOpen))
    document.body.dataset.wire = isOpen ? 'open' : 'closed'
    remember('wire', isOpen ? 'open' : 'closed')
  }
  let view: Promise<{ open(listenings: readonly Listening[]): void; close(): void }> | null = null
  const open = async () => {
    setOpen(true)
    // At once, so that nothing is missed while the view is fetched.
    const listenings = participants.map(listenTo)
    view ??= import('./wire/panel.ts').then(({ createWirePanel }) =>
      createWirePanel(participants, () => {
        setOpen(false)
        button.focus()
      })
    )
    const panel = await view
    if (button.getAttribute('aria-expanded') === 'true') panel.open(listenings)
    else for (const listening of listenings) listening.stop()
  }
  const close = async () => {
    setOpen(false)
    const panel = await view
    panel?.close()
  }
  button.addEventListener('click', () => {
    if (button.getAttribute('aria-expanded') === 'true') void close()
    else void open()
  })
  if (recall('wire') === 'open' && !isNarrow.matches) void open()
}
