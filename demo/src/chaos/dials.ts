// The sliders: how many bots, and how bad their network is.
import { element } from '../dom.ts'
import type { Run, Settings } from './run.ts'

type Dial = {
  readonly name: string
  readonly setting: keyof Settings
  readonly hint: string
  readonly min: number
  readonly max: number
  readonly step: number
  /** What the slider's number is in the setting's unit. */
  readonly scale: number
  readonly unit: string
}

const table: readonly Dial[] = [
  {
    name: 'Bots',
    setting: 'bots',
    hint: 'each with a replica and a connection',
    min: 2,
    max: 20,
    step: 1,
    scale: 1,
    unit: ''
  },
  {
    name: 'Latency',
    setting: 'latencyMs',
    hint: 'each message is held so long, both ways',
    min: 0,
    max: 1000,
    step: 20,
    scale: 1,
    unit: ' ms'
  },
  {
    name: 'Reordering',
    setting: 'jitterMs',
    hint: 'up to so much more, drawn for each',
    min: 0,
    max: 1000,
    step: 20,
    scale: 1,
    unit: ' ms'
  },
  {
    name: 'Loss',
    setting: 'lossShare',
    hint: 'each lost message breaks its connection',
    min: 0,
    max: 5,
    step: 0.1,
    scale: 0.01,
    unit: ' %'
  }
]

export function dials(run: Run): HTMLElement {
  return element('div', { class: 'dials' }, ...table.map(dial => slider(dial, run)))
}

function slider({ name, setting, hint, min, max, step, scale, unit }: Dial, run: Run): HTMLElement {
  const hintId = `hint-${setting}`
  const input = element('input', {
    type: 'range',
    id: `dial-${setting}`,
    min: String(min),
    max: String(max),
    step: String(step),
    value: String(run.settings.value[setting] / scale),
    'aria-describedby': hintId
  })
  const value = element('output', { for: input.id })
  const show = () => {
    const words = `${Number(input.value).toLocaleString('en-US')}${unit}`
    value.textContent = words
    input.setAttribute('aria-valuetext', words)
    input.style.setProperty('--filled', `${((Number(input.value) - min) / (max - min)) * 100}%`)
  }
  input.addEventListener('input', () => {
    run.settings.value = { ...run.settings.value, [setting]: Number(input.value) * scale }
    show()
  })
  show()
  return element(
    'div',
    { class: 'dial' },
    element('div', { class: 'dial-head' }, element('label', { for: input.id }, name), value),
    input,
    element('p', { id: hintId, class: 'dial-hint' }, hint)
  )
}
