// The conversation as a window on a long list: only what is near the view is on the page. It stays at the end while
// the reader is there, and where the reader is otherwise.
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core'
import { arrange } from '../arrange.ts'
import { element } from '../dom.ts'
import { oncePerFrame } from '../frames.ts'
import { type MessageView, messageView } from './message-view.ts'
import type { Message } from './model.ts'

export type History = {
  readonly root: HTMLElement
  show(messages: readonly Message[]): void
  isAtEnd(): boolean
  scrollToEnd(): void
  scrollBy(pages: number): void
  /** Marks a message as the first unread one, or none. */
  markUnread(id: string | null): void
}

type Listeners = { isOwn(message: Message): boolean; scrolled(): void; label: string }

/** Messages by one author within this time stand under one name. */
const continuedMs = 5 * 60_000
const clockMs = 30_000
const guessPx = 52
const endPx = 48
const endPadPx = 10

export function createHistory({ isOwn, scrolled, label }: Listeners): History {
  const inner = element('div', { class: 'chat-inner' })
  const root = element(
    'div',
    { class: 'chat-history', role: 'log', 'aria-live': 'off', 'aria-label': label, tabindex: '0' },
    inner
  )
  const views = new Map<string, MessageView>()
  let messages: readonly Message[] = []
  let firstUnread: string | null = null

  const virtualizer = new Virtualizer<HTMLElement, HTMLElement>({
    count: 0,
    getScrollElement: () => root,
    estimateSize: () => guessPx,
    getItemKey: index => messages[index]?.id ?? index,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    overscan: 8,
    paddingEnd: endPadPx,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: endPx,
    onChange: () => {
      render()
      scrolled()
    }
  })

  function viewAt(index: number, now: number): HTMLElement[] {
    const message = messages[index]
    if (message === undefined) return []
    const view = views.get(message.id) ?? messageView(message)
    views.set(message.id, view)
    const isFirstUnread = message.id === firstUnread
    const isContinued = !isFirstUnread && continues(message, messages[index - 1])
    view.show({ isOwn: isOwn(message), isContinued, isFirstUnread }, now)
    view.root.dataset.index = String(index)
    return [view.root]
  }

  function render(): void {
    const now = Date.now()
    inner.style.height = `${virtualizer.getTotalSize()}px`
    const nodes = virtualizer.getVirtualItems().flatMap(({ index, start }) =>
      viewAt(index, now).map(node => {
        node.style.translate = `0 ${start}px`
        return node
      })
    )
    arrange(inner, nodes)
    const shown = new Set(nodes)
    for (const [id, view] of views) if (!shown.has(view.root)) views.delete(id)
    virtualizer.measureElement(null)
    for (const node of nodes) virtualizer.measureElement(node)
  }

  virtualizer._didMount()
  setInterval(oncePerFrame(render), clockMs)
  return {
    root,
    show(read) {
      messages = read
      virtualizer.setOptions({ ...virtualizer.options, count: messages.length })
      virtualizer._willUpdate()
      render()
    },
    isAtEnd: () => root.scrollHeight - root.scrollTop - root.clientHeight < endPx,
    scrollToEnd: () => virtualizer.scrollToEnd(),
    scrollBy: pages => root.scrollBy({ top: pages * root.clientHeight * 0.9 }),
    markUnread(id) {
      if (firstUnread === id) return
      firstUnread = id
      render()
    }
  }
}

function continues(message: Message, before: Message | undefined): boolean {
  return before?.author === message.author && message.sentAt - before.sentAt < continuedMs
}
