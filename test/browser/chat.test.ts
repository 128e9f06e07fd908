// The chat page in a real browser: history, typing, unread, offline and back, and guests.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import {
  bothEqual,
  bothOnline,
  cutOff,
  describeGallery,
  pane,
  patience,
  presentIn,
  type Seat,
  savingOf,
  soon,
  toggle
} from './gallery.ts'

describeGallery('the chat page', gallery => {
  async function visitFreshChat(): Promise<Page> {
    const page = await gallery.visit(`${gallery.url}/chat.html`)
    await bothOnline(page)
    return page
  }

  test('what one says the other reads; one’s own words stand on the other side', async () => {
    const page = await visitFreshChat()

    await say(page, 'left', 'Hello')
    await say(page, 'right', 'Hello back')

    await bothRead(page, ['Hello', 'Hello back'])
    expect(await pane(page, 'left').locator('.is-own .chat-bubble').allTextContents()).toEqual(['Hello'])
    expect(await pane(page, 'right').locator('.is-own .chat-bubble').allTextContents()).toEqual([
      'Hello back'
    ])
    expect(await pane(page, 'right').locator('.chat-head time').first().textContent()).toBe('now')
    await expect.poll(() => savingOf(page, 'left'), patience).toMatch(/^Saved/)
  })

  test('Enter sends, Shift and Enter begins a line, and nothing is not sent', async () => {
    const page = await visitFreshChat()
    await fieldOf(page, 'left').focus()

    await page.keyboard.press('Enter')
    await page.keyboard.type('one')
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.type('two')
    await page.keyboard.press('Enter')

    await bothRead(page, ['one\ntwo'])
    expect(await fieldOf(page, 'left').inputValue()).toBe('')
  })

  test('messages written offline join in on both sides', async () => {
    const page = await visitFreshChat()
    await say(page, 'left', 'before')
    await bothRead(page, ['before'])
    await cutOff(page, 'right')

    await say(page, 'left', 'to nobody')
    await say(page, 'right', 'from the tunnel')
    expect(await messagesIn(page, 'left')).toEqual(['before', 'to nobody'])
    await toggle(page, 'right')

    await bothEqual(page)
    await expect
      .poll(async () => (await messagesIn(page, 'left')).sort(), patience)
      .toEqual(['before', 'from the tunnel', 'to nobody'])
    expect(await messagesIn(page, 'right')).toEqual(await messagesIn(page, 'left'))
  })

  test('who types is named until they send', async () => {
    const page = await visitFreshChat()
    const name = await pane(page, 'left').locator('.person-name').inputValue()
    const line = pane(page, 'right').locator('.chat-typing')

    await fieldOf(page, 'left').focus()
    await page.keyboard.type('let me th')
    await expect.poll(() => line.textContent(), patience).toBe(`${name} is typing`)
    await page.keyboard.press('Enter')

    await expect.poll(() => line.textContent(), soon).toBe('')
  })

  test('who has scrolled up keeps the place, and is told how much is new', async () => {
    const page = await visitFreshChat()
    for (let index = 0; index < 30; index++) await say(page, 'left', `message ${index}`)
    await expect.poll(async () => (await messagesIn(page, 'right')).at(-1), patience).toBe('message 29')
    await fieldOf(page, 'right').focus()
    await page.keyboard.press('PageUp')
    const jump = pane(page, 'right').locator('.chat-jump')
    await expect.poll(() => jump.textContent(), patience).toBe('Latest')

    await say(page, 'left', 'have you seen this?')
    await say(page, 'left', 'and this?')

    await expect.poll(() => jump.textContent(), patience).toBe('2 new')
    expect(await messagesInView(page, 'right')).not.toContain('and this?')
    await jump.click()
    await expect.poll(() => messagesInView(page, 'right'), patience).toContain('and this?')
    await expect.poll(() => jump.isVisible(), patience).toBe(false)
    expect(await pane(page, 'right').locator('.chat-row:has(.chat-divider:visible)').textContent()).toContain(
      'have you seen this?'
    )
  })

  test('a guest reads the history and sees everybody, and is gone again', async () => {
    const page = await visitFreshChat()
    await say(page, 'left', 'for later')
    await expect.poll(() => savingOf(page, 'left'), patience).toMatch(/^Saved/)

    const guest = await gallery.visit(page.url())

    await bothRead(guest, ['for later'])
    await expect.poll(() => presentIn(page, 'left'), patience).toBe(4)
    await guest.context().close()
    await expect.poll(() => presentIn(page, 'left'), soon).toBe(2)
  })
})

function fieldOf(page: Page, seat: Seat) {
  return pane(page, seat).locator('.chat-field')
}

async function say(page: Page, seat: Seat, words: string): Promise<void> {
  await fieldOf(page, seat).fill(words)
  await fieldOf(page, seat).press('Enter')
  await expect.poll(async () => (await messagesIn(page, seat)).at(-1), patience).toBe(words)
}

function messagesIn(page: Page, seat: Seat): Promise<string[]> {
  return pane(page, seat).locator('.chat-bubble').allTextContents()
}

function messagesInView(page: Page, seat: Seat): Promise<string[]> {
  return page.evaluate<string[]>(`(() => {
    const view = document.querySelector('[data-pane=${seat}] .chat-history').getBoundingClientRect()
    return [...document.querySelectorAll('[data-pane=${seat}] .chat-bubble')]
      .filter(bubble => {
        const { top, bottom } = bubble.getBoundingClientRect()
        return top >= view.top && bottom <= view.bottom
      })
      .map(bubble => bubble.textContent)
  })()`)
}

async function bothRead(page: Page, messages: readonly string[]): Promise<void> {
  for (const seat of ['left', 'right'] as const) {
    await expect.poll(() => messagesIn(page, seat), patience).toEqual(messages)
  }
}
