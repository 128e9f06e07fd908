// The bots: who there is, whether each is connected, and what of it is not saved yet.
import { element } from '../dom.ts'
import { avatar } from '../presence.ts'
import type { Signal } from '../signal.ts'
import type { Bot } from './bot.ts'

export function crowdView(bots: Signal<readonly Bot[]>): HTMLElement {
  const list = element('ul', { class: 'crowd', 'aria-label': 'Bots' })
  const items = new Map<Bot, HTMLElement>()
  bots.watch(present => {
    for (const [bot, item] of items) {
      if (present.includes(bot)) continue
      item.remove()
      items.delete(bot)
    }
    for (const bot of present) {
      if (items.has(bot)) continue
      const item = botItem(bot)
      items.set(bot, item)
      list.append(item)
    }
  })
  return list
}

function botItem({ person, dialect, connection, unsaved }: Bot): HTMLElement {
  const words = element('span', { class: 'bot-state' })
  const item = element(
    'li',
    { class: 'bot', title: `${person.name}, over ${dialect}` },
    avatar(person),
    element('span', { class: 'bot-name' }, person.name),
    words
  )
  const show = () => {
    const isOnline = connection.value.phase === 'online'
    item.dataset.connection = connection.value.phase
    words.textContent = isOnline ? (unsaved.value === 0 ? 'saved' : 'saving') : 'cut off'
  }
  connection.watch(show)
  unsaved.watch(show)
  return item
}
