// A pane shows what it should while two hundred others type in its room, with thousands of strokes on the canvas, and with
// thousands of messages. How fast it is then is for `node bench/pages.js smooth`.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import {
  drawAcross,
  drawStrokes,
  isInkAnywhere,
  messageCount,
  openAmongBots,
  strokeCount,
  writeHistory
} from './crowded.ts'
import { bothEqual, describeGallery, pane, patience } from './gallery.ts'

const keys = 80
/** What is near the view, not what there is. */
const rowsMax = 80

describeGallery('a busy page', gallery => {
  test('with two hundred others typing, what one types reaches the other side, and nobody is cut off', async () => {
    const { page, bots } = await openAmongBots(gallery, 'busy')
    const before = bots.edits()

    for (let index = 0; index < keys; index++) await page.keyboard.press('x')

    expect(bots.edits()).toBeGreaterThan(before)
    expect(bots.lost()).toBe(0)
    await bots.stop()
    await bothEqual(page)
    await expect
      .poll(() => pane(page, 'right').locator('.cm-content').textContent(), patience)
      .toContain('x'.repeat(keys))
    await expect.poll(() => pane(page, 'left').locator('.presence li').count(), patience).toBe(2)
  })

  test('with thousands of strokes on the canvas one more is drawn, and undone without the others', async () => {
    const author = await drawStrokes(gallery.url, 'drawn')
    const page = await gallery.visit(`${gallery.url}/draw.html#drawn`)
    await bothEqual(page)
    await expect.poll(() => isInkAnywhere(page), patience).toBe(true)
    const strokes = () => author.doc.getArray('draw-strokes').length

    await drawAcross(page)
    await expect.poll(strokes, patience).toBe(strokeCount + 1)
    await pane(page, 'left').getByRole('button', { name: 'Undo my last change' }).click()

    await expect.poll(strokes, patience).toBe(strokeCount)
    await bothEqual(page)
    author.destroy()
  })

  test('with thousands of messages in a chat only those near the view are in the page', async () => {
    const author = await writeHistory(gallery.url, 'long')
    const page = await gallery.visit(`${gallery.url}/chat.html#long`)
    await pane(page, 'left')
      .getByText(`message ${messageCount - 1}`, { exact: true })
      .waitFor()
    author.destroy()
    const rows = () => pane(page, 'left').locator('.chat-row').count()
    expect(await rows()).toBeLessThan(rowsMax)

    await scrollToBeginning(page)

    await pane(page, 'left').getByText('message 0', { exact: true }).waitFor()
    expect(await rows()).toBeLessThan(rowsMax)
  })
})

/** In many steps, as a wheel does. */
function scrollToBeginning(page: Page): Promise<void> {
  return page.evaluate<void>(`(async () => {
    const box = document.querySelector('[data-pane=left] .chat-history')
    const frame = () => new Promise(requestAnimationFrame)
    for (let step = 60; step >= 0; step--) {
      box.scrollTop = (box.scrollHeight * step) / 60
      await frame()
    }
    while (box.scrollTop > 0) { box.scrollTop = 0; await frame() }
  })()`)
}
