// Colour and width of the next stroke, as two rows of buttons of which one each is chosen.
import { element } from '../dom.ts'
import { createSignal, type Signal } from '../signal.ts'
import { strokeColors, strokeWidths } from './model.ts'

export type Tool = { readonly color: string; readonly width: number }

export type Tools = { readonly fields: readonly HTMLElement[]; readonly tool: Signal<Tool> }

/** Makes the two rows; `group` tells the radio buttons of one pane from those of another. */
export function toolFields(group: string, first: Tool): Tools {
  const tool = createSignal(first)
  const colors = strokeColors.map(({ id, name, css }) => {
    const input = radio({ name: `color-of-${group}`, value: id, label: name })
    input.checked = id === first.color
    input.addEventListener('change', () => tool.set({ ...tool.value, color: id }))
    const label = element('label', { class: 'tool-color', title: name }, input)
    label.style.setProperty('--tool', css)
    return label
  })
  const widths = strokeWidths.map(({ value, name }) => {
    const input = radio({ name: `width-of-${group}`, value: String(value), label: name })
    input.checked = value === first.width
    input.addEventListener('change', () => tool.set({ ...tool.value, width: value }))
    const label = element('label', { class: 'tool-width', title: name }, input)
    label.style.setProperty('--dot', `${Math.round(4 + value * 0.55)}px`)
    return label
  })
  return { fields: [row('Colour', colors), row('Width', widths)], tool }
}

function row(name: string, labels: readonly HTMLElement[]): HTMLElement {
  return element('div', { class: 'tool-row', role: 'radiogroup', 'aria-label': name }, ...labels)
}

function radio({ name, value, label }: { name: string; value: string; label: string }): HTMLInputElement {
  return element('input', { type: 'radio', name, value, 'aria-label': label })
}
