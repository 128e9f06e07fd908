// Copying text, and saying that it was copied.

const thanksMs = 1600

/** Makes `button` copy what `text` returns at that moment; its `label` says how it went for a moment. */
export function bindCopyButton(button: HTMLElement, label: HTMLElement, text: () => string): void {
  const usual = label.textContent ?? ''
  let timer: ReturnType<typeof setTimeout> | undefined
  button.addEventListener('click', async () => {
    const copied = await copy(text())
    label.textContent = copied ? 'Copied' : 'Copy failed'
    clearTimeout(timer)
    timer = setTimeout(() => {
      label.textContent = usual
    }, thanksMs)
  })
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // The clipboard API exists only on https and localhost, and this page is often opened by an IP address.
    return copyBySelection(text)
  }
}

function copyBySelection(text: string): boolean {
  const field = document.createElement('textarea')
  field.value = text
  field.className = 'visually-hidden'
  const focused = document.activeElement
  // A modal dialog makes everything outside it inert, so the field has to stand inside.
  const parent = document.querySelector('dialog[open]') ?? document.body
  parent.append(field)
  field.select()
  const copied = document.execCommand('copy')
  field.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return copied
}
