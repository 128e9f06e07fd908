// Making, changing, opening and removing a link: a line below the toolbar.
import type { Editor } from '@tiptap/core'
import { element, icon } from '../dom.ts'

const linkIcon =
  'M8.500 11.500a3 3 0 0 0 4.300 0l3-3a3 3 0 0 0-4.300-4.300l-.8.8M11.500 8.500a3 3 0 0 0-4.300 0l-3 3a3 3 0 0 0 4.300 4.300l.8-.8'

export type LinkForm = {
  readonly button: HTMLButtonElement
  readonly form: HTMLElement
  /** Says whether the cursor is in a link. */
  show(): void
}

/** Builds the button and the form that it opens. */
export function linkForm(editor: Editor): LinkForm {
  const button = element(
    'button',
    {
      class: 'rich-tool',
      type: 'button',
      'aria-label': 'Link',
      title: 'Link',
      'aria-pressed': 'false',
      'aria-expanded': 'false'
    },
    icon(linkIcon)
  )
  const field = element('input', {
    class: 'field',
    type: 'text',
    inputmode: 'url',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'https://',
    'aria-label': 'Address of the link'
  })
  const set = element('button', { class: 'button primary', type: 'submit' }, 'Set')
  const remove = element('button', { class: 'button', type: 'button' }, 'Remove')
  const visit = element('a', { class: 'button', target: '_blank', rel: 'noopener noreferrer' }, 'Open')
  const form = element('form', { class: 'rich-link-form', hidden: true }, field, set, remove, visit)

  const current = () => {
    const href: unknown = editor.getAttributes('link').href
    return typeof href === 'string' ? href : ''
  }
  const setOpen = (isOpen: boolean) => {
    form.hidden = !isOpen
    button.setAttribute('aria-expanded', String(isOpen))
    if (!isOpen) return
    field.value = current()
    field.setCustomValidity('')
    const isLink = current() !== ''
    remove.hidden = !isLink
    visit.hidden = !/^https?:/.test(current())
    visit.href = visit.hidden ? '' : current()
    field.focus()
    field.select()
  }
  button.addEventListener('pointerdown', event => event.preventDefault())
  button.addEventListener('click', () => setOpen(form.hidden === true))
  form.addEventListener('keydown', event => {
    if (event.key !== 'Escape') return
    setOpen(false)
    editor.commands.focus()
  })
  field.addEventListener('input', () => field.setCustomValidity(''))
  form.addEventListener('submit', event => {
    event.preventDefault()
    if (apply(editor, field.value.trim())) setOpen(false)
    else {
      field.setCustomValidity('This is no address a link may have.')
      field.reportValidity()
    }
  })
  remove.addEventListener('click', () => {
    editor.chain().focus().extendMarkRange('link').unsetLink().run()
    setOpen(false)
  })
  return {
    button,
    form,
    show: () => button.setAttribute('aria-pressed', String(editor.isActive('link')))
  }
}

/** Links what is selected, or the link the cursor is in, or writes the address there; false when it may not be one. */
function apply(editor: Editor, address: string): boolean {
  if (address === '') return editor.chain().focus().extendMarkRange('link').unsetLink().run()
  const href = /^[a-z][a-z0-9+.-]*:/i.test(address) ? address : `https://${address}`
  const { empty } = editor.state.selection
  if (!empty || editor.isActive('link')) {
    return editor.chain().focus().extendMarkRange('link').setLink({ href }).run()
  }
  if (!editor.can().setLink({ href })) return false
  const linked = { type: 'text', text: address, marks: [{ type: 'link', attrs: { href } }] }
  return editor.chain().focus().insertContent(linked).unsetMark('link').run()
}
