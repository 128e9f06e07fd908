// The panel of the past beside the open editors: its parts, and what it says where there is none.
import { element } from '../dom.ts'
import { comparing } from './comparing.ts'
import type { Past } from './past.ts'
import { createReport, type Report } from './report.ts'
import { pastSlider } from './slider.ts'
import { takingBack } from './taking-back.ts'
import { textView } from './text-view.ts'
import { versionList } from './versions.ts'

const shutWords =
  'The command y-chorus keeps that of this page’s documents where nobody has to sign in. A server of your own needs ' +
  'the settings below.'

/** Fills `root`. */
export function mountPast(root: HTMLElement, past: Past): Report {
  const report = createReport()
  const view = textView(past)
  const trouble = element('p', { class: 'notice past-trouble', role: 'status', hidden: true })
  root.replaceChildren(
    element('h2', { class: 'past-title' }, 'The past'),
    trouble,
    pastSlider(past),
    view.root,
    comparing(past, view),
    versionList(past, report),
    takingBack(past, report),
    report.root
  )
  past.trouble.watch(now => {
    const words = now === null ? '' : now.isShut ? `${now.words} ${shutWords}` : now.words
    if (trouble.textContent !== words) trouble.textContent = words
    trouble.hidden = words === ''
    root.dataset.trouble = now?.kind ?? 'none'
  })
  return report
}
