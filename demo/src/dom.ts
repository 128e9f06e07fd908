// Building elements without a framework. Text is always set as text, never as markup.

type Attributes = Record<string, string | boolean>
type Child = Node | string

/** Creates an element; a `true` attribute is written empty, a `false` one is left out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) node.setAttribute(name, value === true ? '' : value)
  }
  node.append(...children)
  return node
}

/** Finds the one element a page must contain; a page without it is a programming error. */
export function find(selector: string): HTMLElement {
  const node = document.querySelector<HTMLElement>(selector)
  if (node === null) throw new Error(`this page has no ${selector}`)
  return node
}

const svgNamespace = 'http://www.w3.org/2000/svg'

/** Draws an icon of one stroked path on a 20 by 20 grid; it is hidden from assistive technology. */
export function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS(svgNamespace, 'svg')
  svg.setAttribute('viewBox', '0 0 20 20')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const stroke = document.createElementNS(svgNamespace, 'path')
  stroke.setAttribute('d', path)
  svg.append(stroke)
  return svg
}

/** Draws one filled path on a grid of `size` units, `label` naming the picture. */
export function picture(path: string, size: number, label: string): SVGSVGElement {
  const svg = document.createElementNS(svgNamespace, 'svg')
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`)
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', label)
  svg.setAttribute('shape-rendering', 'crispEdges')
  const fill = document.createElementNS(svgNamespace, 'path')
  fill.setAttribute('d', path)
  svg.append(fill)
  return svg
}
