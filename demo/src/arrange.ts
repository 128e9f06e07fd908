// Putting elements that live on into their present order.

/** Makes `nodes` the children of `parent`, in this order, moving as little as the order allows; the focus stays. */
export function arrange(parent: Element, nodes: readonly Element[]): void {
  const focused = document.activeElement
  let at = parent.firstElementChild
  for (const node of nodes) {
    if (node === at) at = at.nextElementSibling
    else parent.insertBefore(node, at)
  }
  while (at !== null) {
    const next = at.nextElementSibling
    at.remove()
    at = next
  }
  // An element that is moved loses the focus on the way.
  if (focused instanceof HTMLElement && focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true })
  }
}
