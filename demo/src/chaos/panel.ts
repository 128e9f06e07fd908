// What stands above the panes: the verdict, the figures, what to make worse, and the button.
import { element, icon } from '../dom.ts'
import { crowdView } from './crowd-view.ts'
import { dials } from './dials.ts'
import type { Figures, Run } from './run.ts'
import { timelineView } from './timeline-view.ts'
import { isFailure, type Tone, type Verdict, wordsOf } from './verdict.ts'

const autoKillMs = 10_000

const signs: Record<Tone, string> = {
  good: 'M4.500 10.500 8.500 14.500 16 6',
  calm: 'M5 10h.01M10 10h.01M15 10h.01',
  busy: 'M10 5v5l3.500 2',
  bad: 'M5.500 5.500l9 9M14.500 5.500l-9 9'
}

const announced: readonly Verdict['kind'][] = ['kept', 'lost', 'differ', 'stuck', 'full']

/** Fills the panel and keeps it up to date until the page is left. */
export function mountPanel(root: HTMLElement, run: Run): void {
  root.replaceChildren(
    verdictCard(run),
    element(
      'section',
      { class: 'chaos-card levers', 'aria-label': 'What to do to them' },
      actions(run),
      dials(run)
    ),
    element(
      'section',
      { class: 'chaos-card scene', 'aria-label': 'What happens' },
      timelineView(run.timeline),
      crowdView(run.bots)
    )
  )
}

function verdictCard(run: Run): HTMLElement {
  const sign = element('span', { class: 'verdict-sign', 'aria-hidden': 'true' })
  const headline = element('p', { class: 'verdict-headline' })
  const detail = element('p', { class: 'verdict-detail' })
  const speaker = element('p', { class: 'visually-hidden', role: 'status' })
  const words = element('div', { class: 'verdict-words' }, headline, detail, speaker)
  const card = element(
    'section',
    { class: 'chaos-card verdict', 'aria-label': 'Verdict' },
    sign,
    words,
    figures(run)
  )
  run.verdict.watch(verdict => {
    const { tone, headline: line, detail: more } = wordsOf(verdict)
    setText(headline, line)
    setText(detail, more)
    if (announced.includes(verdict.kind)) setText(speaker, `${line}. ${more}`)
    card.dataset.verdict = verdict.kind
    if (card.dataset.tone === tone) return
    card.dataset.tone = tone
    sign.replaceChildren(icon(signs[tone]))
  })
  return card
}

function figures(run: Run): HTMLElement {
  const values = {
    checked: element('dd', { 'data-figure': 'checked' }),
    kills: element('dd', { 'data-figure': 'kills' }),
    downMs: element('dd', { 'data-figure': 'down' }),
    pid: element('dd', { 'data-figure': 'pid' })
  }
  run.figures.watch(({ checked, kills, downMs, pid }: Figures) => {
    setText(values.checked, checked.toLocaleString('en-US'))
    setText(values.kills, String(kills))
    setText(values.downMs, downMs === null ? '–' : `${downMs} ms`)
    setText(values.pid, pid === null ? '–' : String(pid))
  })
  const figure = (name: string, value: HTMLElement) => element('div', {}, element('dt', {}, name), value)
  return element(
    'dl',
    { class: 'figures' },
    figure('edits checked', values.checked),
    figure('kills survived', values.kills),
    figure('back after', values.downMs),
    figure('server process', values.pid)
  )
}

function actions(run: Run): HTMLElement {
  const kill = element(
    'button',
    { class: 'button kill', type: 'button' },
    'Kill the server',
    element('span', { class: 'kill-signal' }, 'SIGKILL')
  )
  kill.addEventListener('click', () => void run.kill())
  const complaint = element('p', { class: 'complaint', role: 'status' })
  const isOff = () => run.isKilling.value || isFailure(run.verdict.value)
  const show = () => {
    // Not `disabled`: whoever pressed it by keyboard would lose the focus.
    kill.setAttribute('aria-disabled', String(isOff()))
  }
  run.isKilling.watch(show)
  run.verdict.watch(show)
  run.complaint.watch(why => setText(complaint, why))
  const buttons = element('div', { class: 'lever-buttons' }, pauseButton(run), startOverButton())
  return element('div', { class: 'actions' }, kill, autoKill(run), buttons, complaint)
}

function autoKill(run: Run): HTMLElement {
  const input = element('input', { type: 'checkbox', role: 'switch' })
  let timer: ReturnType<typeof setInterval> | undefined
  input.addEventListener('change', () => {
    clearInterval(timer)
    if (input.checked) timer = setInterval(() => void run.kill(), autoKillMs)
  })
  return element(
    'label',
    { class: 'switch' },
    input,
    element('span', { class: 'switch-track' }),
    element('span', {}, `Kill every ${autoKillMs / 1000} s`)
  )
}

/** Who asked for stillness gets it: then the bots begin when they are told to. */
function pauseButton(run: Run): HTMLElement {
  const button = element('button', { class: 'button', type: 'button' })
  let isPaused = matchMedia('(prefers-reduced-motion: reduce)').matches
  const show = () => {
    button.textContent = isPaused ? 'Let them write' : 'Pause the bots'
    run.rest(isPaused || document.hidden)
  }
  button.addEventListener('click', () => {
    isPaused = !isPaused
    show()
  })
  document.addEventListener('visibilitychange', show)
  show()
  return button
}

function startOverButton(): HTMLElement {
  const button = element('button', { class: 'button', type: 'button' }, 'Start over')
  button.addEventListener('click', () => {
    // A page without a fragment invents a room.
    history.replaceState(null, '', location.pathname)
    location.reload()
  })
  return button
}

function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text
}
