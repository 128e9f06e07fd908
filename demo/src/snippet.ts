// A block of code to read and copy, lightly coloured.
import { bindCopyButton } from './clipboard.ts'
import { element, find } from './dom.ts'

const token = /(?<string>'[^']*')|(?<keyword>\b(?:import|from|const|new|as)\b)|(?<comment>\/\/.*)/g

/** Shows `code` in the page's snippet block and binds its copy button. */
export function bindSnippet(code: string): void {
  find('#snippet-code').replaceChildren(...colored(code))
  makeScrollable(find('#snippet'))
  bindCopyButton(find('#copy-snippet'), find('#copy-snippet-label'), () => code)
}

/** Wide code scrolls sideways; without a mouse that needs the focus, and what takes the focus needs a name. */
function makeScrollable(block: HTMLElement): void {
  block.tabIndex = 0
  block.setAttribute('role', 'region')
  block.setAttribute('aria-label', 'Code that binds an editor to this server')
}

function colored(code: string): Node[] {
  const nodes: Node[] = []
  let at = 0
  for (const match of code.matchAll(token)) {
    nodes.push(document.createTextNode(code.slice(at, match.index)))
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0] ?? ''
    nodes.push(element('span', { class: `code-${kind}` }, match[0]))
    at = match.index + match[0].length
  }
  nodes.push(document.createTextNode(code.slice(at)))
  return nodes
}
