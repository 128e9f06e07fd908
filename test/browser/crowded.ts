// Rooms with more in them than most have: two hundred others, thousands of strokes, thousands of messages.

import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { type Bots, startBots } from './bots.ts'
import { bothOnline, type Gallery, pane, patience } from './gallery.ts'

export const botCount = 200
const editsPerSecond = 200
export const strokeCount = 3000
export const messageCount = 5000

/** The text page, its left editor focused at the beginning, in a room in which two hundred bots type. */
export async function openAmongBots(gallery: Gallery, room: string): Promise<{ page: Page; bots: Bots }> {
  const page = await gallery.visit(`${gallery.url}/text.html#${room}`)
  await bothOnline(page)
  const bots = await startBots({ url: gallery.url, room, count: botCount, editsPerSecond })
  await expect
    .poll(() => pane(page, 'left').locator('.presence .rest').textContent(), patience)
    .toBe(`+${botCount + 2 - 5}`)
  await pane(page, 'left').locator('.cm-content').click()
  await page.keyboard.press('Control+Home')
  return { page, bots }
}

/** A stroke from one corner to the other. */
export async function drawAcross(page: Page): Promise<void> {
  const box = await pane(page, 'left').locator('.draw-surface').boundingBox()
  if (box === null) throw new Error('no canvas')
  await page.mouse.move(box.x + 10, box.y + 10)
  await page.mouse.down()
  for (let step = 1; step <= 60; step++) {
    await page.mouse.move(
      box.x + 10 + (step / 60) * (box.width - 20),
      box.y + 10 + (step / 60) * (box.height - 20)
    )
  }
  await page.mouse.up()
}

export function isInkAnywhere(page: Page): Promise<boolean> {
  return page.evaluate<boolean>(`(() => {
    const canvas = document.querySelector('[data-pane=left] canvas')
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true })
    copy.drawImage(canvas, 0, 0)
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height)
    return data.some((value, index) => index % 4 === 3 && value !== 0)
  })()`)
}

/** Fills a canvas from outside, by a client of its own. */
export async function drawStrokes(url: string, room: string): Promise<WebsocketProvider> {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url.replace(/^http/, 'ws'), room, doc, {
    disableBc: true,
    // Node 20 has none of its own.
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket
  })
  await new Promise<void>(resolve => provider.once('sync', () => resolve()))
  const strokes = Array.from({ length: strokeCount }, (_, index) => {
    const points = Array.from({ length: 40 }, (_, at) => [
      ((index * 37) % 1000) + at * 4,
      ((index * 53) % 800) + Math.round(30 * Math.sin(at / 3))
    ])
    const entry = Object.entries({
      color: '#1971c2',
      width: 4,
      stride: 2,
      points: Y.Array.from(points.flat())
    })
    return new Y.Map<unknown>(entry)
  })
  doc.getArray('draw-strokes').push(strokes)
  return provider
}

/** Fills a room from outside, by a client of its own, and resolves when the server has all of it. */
export async function writeHistory(url: string, room: string): Promise<WebsocketProvider> {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url.replace(/^http/, 'ws'), room, doc, {
    disableBc: true,
    // Node 20 has none of its own.
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket
  })
  await new Promise<void>(resolve => provider.once('sync', () => resolve()))
  const messages = Array.from({ length: messageCount }, (_, index) => ({
    id: `m${index}`,
    author: `author-${index % 3}`,
    name: ['Ada', 'Grace', 'Edsger'][index % 3],
    color: '#1971c2',
    text:
      index % 7 === 0
        ? `message ${index}\n${'with more to say '.repeat(index % 5)}`.trim()
        : `message ${index}`,
    sentAt: Date.now() - (messageCount - index) * 60_000
  }))
  doc.getArray('chat-messages').push(messages)
  return provider
}
