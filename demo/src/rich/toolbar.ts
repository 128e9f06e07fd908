// The buttons above a rich text: one tab stop, arrow keys inside, and each says whether it holds at the cursor.
import type { ChainedCommands, Editor } from '@tiptap/core'
import { element, icon } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import { linkForm } from './link-form.ts'

type Tool = {
  readonly label: string
  readonly path: string
  readonly run: (chain: ChainedCommands) => ChainedCommands
  /** Whether it holds where the cursor is; a tool without is never pressed. */
  readonly isActive?: (editor: Editor) => boolean
}

const dot = (y: number) => `M3.500 ${y}h.01`

const tools: readonly (readonly Tool[])[] = [
  [
    {
      label: 'Undo my last change',
      path: 'M7 4 3.500 7.500 7 11M4 7.500h7.500a4.500 4.500 0 0 1 0 9H8',
      run: chain => chain.undo()
    },
    {
      label: 'Redo my last change',
      path: 'M13 4l3.500 3.500L13 11M16 7.500H8.500a4.500 4.500 0 0 0 0 9H12',
      run: chain => chain.redo()
    }
  ],
  [
    {
      label: 'Heading',
      path: 'M3 4.500v11M9.500 4.500v11M3 10h6.500M13.500 7.500 16 5.500v10',
      run: chain => chain.toggleHeading({ level: 1 }),
      isActive: editor => editor.isActive('heading', { level: 1 })
    },
    {
      label: 'Smaller heading',
      path: 'M3 4.500v11M9.500 4.500v11M3 10h6.500M13 8.500c0-3.200 4.200-2.900 4.200-.2 0 2-4.200 4.400-4.200 7.200h4.500',
      run: chain => chain.toggleHeading({ level: 2 }),
      isActive: editor => editor.isActive('heading', { level: 2 })
    }
  ],
  [
    {
      label: 'Bold',
      path: 'M6 4h4.800a2.900 2.900 0 0 1 0 5.800H6zM6 9.800h5.600a3.100 3.100 0 0 1 0 6.200H6zM6.700 4v12',
      run: chain => chain.toggleBold(),
      isActive: editor => editor.isActive('bold')
    },
    {
      label: 'Italic',
      path: 'M8.500 4H15M5 16h6.500M12 4 8 16',
      run: chain => chain.toggleItalic(),
      isActive: editor => editor.isActive('italic')
    },
    {
      label: 'Code',
      path: 'M7 6 3 10l4 4M13 6l4 4-4 4',
      run: chain => chain.toggleCode(),
      isActive: editor => editor.isActive('code')
    }
  ],
  [
    {
      label: 'List',
      path: `M8 5h9M8 10h9M8 15h9${dot(5)}${dot(10)}${dot(15)}`,
      run: chain => chain.toggleBulletList(),
      isActive: editor => editor.isActive('bulletList')
    },
    {
      label: 'Numbered list',
      path: 'M9 5h8M9 10h8M9 15h8M3 4.200 4.500 3.200v4.300M3 12.600c0-1.700 2.600-1.500 2.600 0 0 1-2.600 2.200-2.600 3.900h2.800',
      run: chain => chain.toggleOrderedList(),
      isActive: editor => editor.isActive('orderedList')
    },
    {
      label: 'Quote',
      path: 'M4 4v12M8 6h9M8 10h9M8 14h6',
      run: chain => chain.toggleBlockquote(),
      isActive: editor => editor.isActive('blockquote')
    },
    {
      label: 'Code block',
      path: 'M3 4h14v12H3zM8 8l-2 2 2 2M12 8l2 2-2 2',
      run: chain => chain.toggleCodeBlock(),
      isActive: editor => editor.isActive('codeBlock')
    }
  ]
]

/** Builds the toolbar of an editor. */
export function richToolbar(editor: Editor, seat: string): HTMLElement {
  const made = tools.map(group => group.map(tool => ({ tool, button: toolButton(editor, tool) })))
  const link = linkForm(editor)
  const buttons = [...made.flat().map(({ button }) => button), link.button]
  const root = element(
    'div',
    { class: 'rich-toolbar', role: 'toolbar', 'aria-label': `Formatting, ${seat} pane` },
    ...made.map(group => element('div', { class: 'rich-tools' }, ...group.map(({ button }) => button))),
    element('div', { class: 'rich-tools' }, link.button)
  )
  const show = () => {
    for (const { tool, button } of made.flat()) {
      if (tool.isActive !== undefined) button.setAttribute('aria-pressed', String(tool.isActive(editor)))
      else button.setAttribute('aria-disabled', String(!tool.run(editor.can().chain()).run()))
    }
    link.show()
  }
  // A transaction of somebody else's may change what stands at the cursor, too.
  editor.on('transaction', oncePerFrame(show))
  show()
  oneTabStop(root, buttons)
  return element('div', { class: 'rich-top' }, root, link.form)
}

function toolButton(editor: Editor, { label, path, run }: Tool): HTMLButtonElement {
  const button = element(
    'button',
    { class: 'rich-tool', type: 'button', 'aria-label': label, title: label },
    icon(path)
  )
  // The selection stays where it is while the mouse presses a button.
  button.addEventListener('pointerdown', event => event.preventDefault())
  button.addEventListener('click', () => run(editor.chain().focus()).run())
  return button
}

/** https://www.w3.org/WAI/ARIA/apg/patterns/toolbar/ */
function oneTabStop(root: HTMLElement, buttons: readonly HTMLButtonElement[]): void {
  const choose = (chosen: HTMLButtonElement) => {
    for (const button of buttons) button.tabIndex = button === chosen ? 0 : -1
  }
  const [first] = buttons
  if (first !== undefined) choose(first)
  root.addEventListener('focusin', ({ target }) => {
    if (target instanceof HTMLButtonElement) choose(target)
  })
  root.addEventListener('keydown', event => {
    if (!(event.target instanceof HTMLButtonElement)) return
    const at = buttons.indexOf(event.target)
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 }[event.key]
    const next = to === undefined ? undefined : buttons.at(to % buttons.length)
    if (next === undefined) return
    event.preventDefault()
    next.focus()
  })
}
