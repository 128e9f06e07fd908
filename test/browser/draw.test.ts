// The drawing page in a real browser: strokes and pointers on both sides, offline and back, undo, thousands of them.
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
  soon,
  toggle
} from './gallery.ts'

type Line = { readonly from: readonly [number, number]; readonly to: readonly [number, number] }

const slope: Line = { from: [0.1, 0.2], to: [0.9, 0.8] }
const level: Line = { from: [0.1, 0.5], to: [0.9, 0.5] }

describeGallery('the drawing page', gallery => {
  async function visitFreshCanvas(options = {}): Promise<Page> {
    const page = await gallery.visit(`${gallery.url}/draw.html`, options)
    await bothOnline(page)
    return page
  }

  test('a stroke appears on the other side while it is drawn', async () => {
    const page = await visitFreshCanvas()

    await drawHalf(page, 'left', level)

    await expect.poll(() => inkAt(page, 'right', [0.2, 0.5]), patience).toBe(true)
    expect(await inkAt(page, 'right', [0.8, 0.5])).toBe(false)
    await page.mouse.up()
    await bothEqual(page)
  })

  test('strokes of both sides, one of them offline, are on both afterwards', async () => {
    const page = await visitFreshCanvas()
    await cutOff(page, 'right')
    await draw(page, 'left', slope)
    await draw(page, 'right', level)
    expect(await inkAt(page, 'left', [0.2, 0.5])).toBe(false)

    await toggle(page, 'right')

    await bothEqual(page)
    for (const seat of ['left', 'right'] as const) {
      await expect.poll(() => inkAt(page, seat, [0.2, 0.5]), patience).toBe(true)
      await expect.poll(() => inkAt(page, seat, [0.75, 0.6875]), patience).toBe(true)
    }
    const crossing = [0.5, 0.5] as const
    expect(await colorAt(page, 'right', crossing)).toEqual(await colorAt(page, 'left', crossing))
  })

  test('the pointer of one is seen by the other, with a name, and goes when it leaves', async () => {
    const page = await visitFreshCanvas()
    const name = await pane(page, 'left').locator('.person-name').inputValue()
    const pointer = pane(page, 'right').locator('.pointer')

    const [x, y] = await positionOf(page, 'left', [0.5, 0.5])
    await page.mouse.move(x, y)
    await expect.poll(() => pointer.allTextContents(), patience).toEqual([name])
    await page.mouse.move(x, 2)

    await expect.poll(() => pointer.count(), soon).toBe(0)
  })

  test('undo takes back one’s own strokes only, whole ones, and redo brings them back', async () => {
    const page = await visitFreshCanvas()
    await draw(page, 'left', level)
    await draw(page, 'right', slope)
    await bothEqual(page)

    await pane(page, 'left').getByRole('button', { name: 'Undo my last change' }).click()

    await expect.poll(() => inkAt(page, 'right', [0.2, 0.5]), patience).toBe(false)
    expect(await inkAt(page, 'right', [0.75, 0.6875])).toBe(true)
    await pane(page, 'left').getByRole('button', { name: 'Redo my last change' }).click()
    await expect.poll(() => inkAt(page, 'right', [0.2, 0.5]), patience).toBe(true)
  })

  test('a cleared canvas is empty on both sides, and undo brings the drawing back', async () => {
    const page = await visitFreshCanvas()
    await draw(page, 'left', level)
    await draw(page, 'right', slope)

    await pane(page, 'right').getByRole('button', { name: 'Clear the canvas' }).click()
    await expect.poll(() => inkAt(page, 'left', [0.2, 0.5]), patience).toBe(false)
    await pane(page, 'right').getByRole('button', { name: 'Undo my last change' }).click()

    await expect.poll(() => inkAt(page, 'left', [0.2, 0.5]), patience).toBe(true)
    await bothEqual(page)
  })

  test('the keyboard draws, in the colour and width that were chosen', async () => {
    const page = await visitFreshCanvas()
    await pane(page, 'left').getByRole('radio', { name: 'Green' }).check()
    await pane(page, 'left').getByRole('radio', { name: 'Thick' }).check()
    await pane(page, 'left').locator('.draw-surface').focus()

    for (const key of ['Space', 'Shift+ArrowRight', 'Shift+ArrowRight', 'Space', 'Shift+ArrowDown']) {
      await page.keyboard.press(key)
    }

    await expect.poll(() => colorAt(page, 'right', [0.56, 0.5]), patience).toEqual([0x2f, 0x9e, 0x44, 255])
    expect(await inkAt(page, 'right', [0.583, 0.57])).toBe(false)
  })

  test('a finger draws and does not scroll', async () => {
    const page = await visitFreshCanvas({
      viewport: { width: 375, height: 812 },
      hasTouch: true,
      isMobile: true
    })
    await pane(page, 'left').locator('.draw-surface').scrollIntoViewIfNeeded()
    const before = await page.evaluate<number>('scrollY')

    await swipe(page, await positionOf(page, 'left', [0.3, 0.2]), await positionOf(page, 'left', [0.3, 0.9]))

    await expect.poll(() => inkAt(page, 'left', [0.3, 0.5]), patience).toBe(true)
    expect(await page.evaluate<number>('scrollY')).toBe(before)
    await page.locator('.seat-switch button').nth(1).click()
    await expect.poll(() => inkAt(page, 'right', [0.3, 0.5]), patience).toBe(true)
  })

  test('a guest finds the drawing and both people, and is gone again', async () => {
    const page = await visitFreshCanvas()
    await draw(page, 'left', level)
    await bothEqual(page)

    const guest = await gallery.visit(page.url())

    await expect.poll(() => inkAt(guest, 'left', [0.2, 0.5]), patience).toBe(true)
    await expect.poll(() => presentIn(page, 'left'), patience).toBe(4)
    await guest.context().close()
    await expect.poll(() => presentIn(page, 'left'), soon).toBe(2)
  })
})

async function positionOf(
  page: Page,
  seat: Seat,
  [x, y]: readonly [number, number]
): Promise<[number, number]> {
  const box = await pane(page, seat).locator('.draw-surface').boundingBox()
  if (box === null) throw new Error('no canvas')
  return [box.x + box.width * x, box.y + box.height * y]
}

async function drawHalf(page: Page, seat: Seat, { from, to }: Line): Promise<void> {
  await page.mouse.move(...(await positionOf(page, seat, from)))
  await page.mouse.down()
  await page.mouse.move(...(await positionOf(page, seat, [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2])), {
    steps: 8
  })
}

async function draw(page: Page, seat: Seat, line: Line): Promise<void> {
  await drawHalf(page, seat, line)
  await page.mouse.move(...(await positionOf(page, seat, line.to)), { steps: 8 })
  await page.mouse.up()
  await expect.poll(() => inkAt(page, seat, line.to), patience).toBe(true)
}

/** Read from a copy: a canvas that is read back itself becomes a slower one, and the browser warns of it. */
function colorAt(page: Page, seat: Seat, [x, y]: readonly [number, number]): Promise<number[]> {
  return page.evaluate<number[]>(`(() => {
    const canvas = document.querySelector('[data-pane=${seat}] canvas')
    const copy = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    copy.drawImage(canvas, -Math.floor(canvas.width * ${x}), -Math.floor(canvas.height * ${y}))
    return [...copy.getImageData(0, 0, 1, 1).data]
  })()`)
}

async function inkAt(page: Page, seat: Seat, point: readonly [number, number]): Promise<boolean> {
  const [, , , alpha] = await colorAt(page, seat, point)
  return alpha !== 0
}

/** A finger, as the browser itself sees one. */
async function swipe(page: Page, from: [number, number], to: [number, number]): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  const touch = (type: string, at: [number, number] | null) =>
    devtools.send('Input.dispatchTouchEvent', {
      type: type as 'touchStart',
      touchPoints: at === null ? [] : [{ x: at[0], y: at[1] }]
    })
  await touch('touchStart', from)
  for (let step = 1; step <= 8; step++) {
    await touch('touchMove', [
      from[0] + ((to[0] - from[0]) * step) / 8,
      from[1] + ((to[1] - from[1]) * step) / 8
    ])
  }
  await touch('touchEnd', null)
}
