// The chat page in a real browser: history, typing, unread, offline and back, and thousands of messages.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
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

const manyMessages = 5000

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

  test('thousands of messages come as a window that scrolls smoothly', async () => {
    const room = `demo-long-${Date.now()}`
    const author = await writeHistory(gallery.url, room)
    const page = await gallery.visit(`${gallery.url}/chat.html#${room}`)
    await expect.poll(() => messagesInView(page, 'left'), patience).toContain(`message ${manyMessages - 1}`)
    author.destroy()

    const frames = await scrollThrough(page)

    expect(await pane(page, 'left').locator('.chat-row').count()).toBeLessThan(80)
    expect(frames.seen).toContain('message 0')
    console.info(
      `chat, ${manyMessages} messages: ${frames.count} frames, p95 ${frames.p95Ms} ms, longest ${frames.longestMs} ms`
    )
    expect(frames.p95Ms).toBeLessThan(50)
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

/** Fills a room from outside, by a client of its own, and resolves when the server has all of it. */
async function writeHistory(url: string, room: string): Promise<WebsocketProvider> {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url.replace(/^http/, 'ws'), room, doc, {
    disableBc: true,
    // Node 20 has none of its own.
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket
  })
  await new Promise<void>(resolve => provider.once('sync', () => resolve()))
  const messages = Array.from({ length: manyMessages }, (_, index) => ({
    id: `m${index}`,
    author: `author-${index % 3}`,
    name: ['Ada', 'Grace', 'Edsger'][index % 3],
    color: '#1971c2',
    text:
      index % 7 === 0
        ? `message ${index}\n${'with more to say '.repeat(index % 5)}`.trim()
        : `message ${index}`,
    sentAt: Date.now() - (manyMessages - index) * 60_000
  }))
  doc.getArray('chat-messages').push(messages)
  return provider
}

type Frames = { count: number; p95Ms: number; longestMs: number; seen: string[] }

/** Scrolls from the end to the beginning in one second's frames, and says how long each took. */
function scrollThrough(page: Page): Promise<Frames> {
  return page.evaluate<Frames>(`(async () => {
    const box = document.querySelector('[data-pane=left] .chat-history')
    const frame = () => new Promise(requestAnimationFrame)
    const times = []
    let last = await frame()
    for (let step = 60; step >= 0; step--) {
      box.scrollTop = (box.scrollHeight * step) / 60
      const now = await frame()
      times.push(now - last)
      last = now
    }
    while (box.scrollTop > 0) { box.scrollTop = 0; await frame() }
    await frame()
    times.sort((a, b) => a - b)
    return {
      count: times.length,
      p95Ms: Math.round(times[Math.floor(times.length * 0.95)]),
      longestMs: Math.round(times.at(-1)),
      seen: [...box.querySelectorAll('.chat-bubble')].map(bubble => bubble.textContent.split('\\n')[0])
    }
  })()`)
}
