// A pane stays smooth while two hundred others type in its room, with thousands of strokes on the canvas, and with
// thousands of messages. That it shows what it should then is for test/browser/crowded.test.ts.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import {
  botCount,
  drawAcross,
  drawStrokes,
  isInkAnywhere,
  messageCount,
  openAmongBots,
  strokeCount,
  writeHistory
} from '../../test/browser/crowded.ts'
import { bothEqual, describeGallery, pane, patience } from '../../test/browser/gallery.ts'

const keys = 80
const keyIntervalMs = 90
const roundsMax = 3
/** For all rounds on a machine that has other things to do. */
const timeout = 600_000
const paintMsMax = 50

describeGallery('a busy page', gallery => {
  test('with two hundred others typing, what one types is on the screen within 50 ms', {
    timeout
  }, async () => {
    const { page, bots } = await openAmongBots(gallery, `busy-${Date.now()}`)

    const rounds: Paints[] = []
    while (rounds.length < roundsMax && rounds.every(({ p95Ms }) => p95Ms >= paintMsMax)) {
      const before = bots.edits()
      const paints = await typeAndTime(page)
      rounds.push(paints)
      const { p50Ms, p95Ms, longestMs } = paints
      console.info(
        `${botCount} bots, ${bots.edits() - before} edits during ${keys} keys: ` +
          `input to paint p50 ${p50Ms} ms, p95 ${p95Ms} ms, longest ${longestMs} ms`
      )
    }
    await bots.stop()

    // The bots and the server share this machine's cores with the page: of rounds that differ the quietest counts.
    expect(Math.min(...rounds.map(({ p95Ms }) => p95Ms))).toBeLessThan(paintMsMax)
  })

  test('with thousands of strokes on the canvas, drawing stays smooth', { timeout }, async () => {
    const room = `drawn-${Date.now()}`
    const author = await drawStrokes(gallery.url, room)
    const page = await gallery.visit(`${gallery.url}/draw.html#${room}`)
    await bothEqual(page)
    await expect.poll(() => isInkAnywhere(page), patience).toBe(true)
    author.destroy()

    const rounds: Frames[] = []
    while (rounds.length < roundsMax && rounds.every(({ p95Ms }) => p95Ms >= paintMsMax)) {
      await observeFrames(page)
      await drawAcross(page)
      const drawing = await frames(page)
      rounds.push(drawing)
      await pane(page, 'left').getByRole('button', { name: 'Undo my last change' }).click()
      await bothEqual(page)
      const { longestMs } = await frames(page)
      console.info(
        `${strokeCount} strokes: ${drawing.count} frames while drawing, p95 ${drawing.p95Ms} ms, ` +
          `longest ${drawing.longestMs} ms; with undo right across them the longest is ${longestMs} ms`
      )
    }

    expect(Math.min(...rounds.map(({ p95Ms }) => p95Ms))).toBeLessThan(paintMsMax)
  })

  test('with thousands of messages in a chat, scrolling through them stays smooth', { timeout }, async () => {
    const room = `long-${Date.now()}`
    const author = await writeHistory(gallery.url, room)
    const page = await gallery.visit(`${gallery.url}/chat.html#${room}`)
    await pane(page, 'left')
      .getByText(`message ${messageCount - 1}`, { exact: true })
      .waitFor()
    author.destroy()

    const rounds: Frames[] = []
    while (rounds.length < roundsMax && rounds.every(({ p95Ms }) => p95Ms >= paintMsMax)) {
      const scrolling = await scrollThrough(page)
      rounds.push(scrolling)
      const { count, p95Ms, longestMs } = scrolling
      console.info(
        `chat, ${messageCount} messages: ${count} frames while scrolling, p95 ${p95Ms} ms, longest ${longestMs} ms`
      )
    }

    expect(Math.min(...rounds.map(({ p95Ms }) => p95Ms))).toBeLessThan(paintMsMax)
  })
})

type Frames = { count: number; p95Ms: number; longestMs: number }

async function observeFrames(page: Page): Promise<void> {
  await page.evaluate(`(() => {
    const times = window.frameTimes = []
    let last = performance.now()
    const tick = now => {
      times.push(now - last)
      last = now
      if (window.frameTimes === times) requestAnimationFrame(tick)
    }
    requestAnimationFrame(tick)
  })()`)
}

function frames(page: Page): Promise<Frames> {
  return page.evaluate<Frames>(`(() => {
    const all = window.frameTimes.slice(1).sort((a, b) => a - b)
    const at = share => Math.round(all[Math.floor((all.length - 1) * share)])
    return { count: all.length, p95Ms: at(0.95), longestMs: at(1) }
  })()`)
}

type Paints = { p50Ms: number; p95Ms: number; longestMs: number }

/** Types at the pace of a person, and says how long it took each time until the key was on the screen. */
async function typeAndTime(page: Page): Promise<Paints> {
  await observePaints(page)
  for (let index = 0; index < keys; index++) {
    await page.keyboard.press('x')
    // The pace of a typist, not a wait for anything.
    await page.waitForTimeout(keyIntervalMs)
  }
  return paints(page)
}

/** The browser's own measure: from an input event to the frame that shows what it did. Below 16 ms it reports none. */
async function observePaints(page: Page): Promise<void> {
  await page.evaluate(`
    window.paints = []
    window.paintObserver?.disconnect()
    window.paintObserver = new PerformanceObserver(list => {
      for (const { name, duration } of list.getEntries()) if (name === 'keydown') window.paints.push(duration)
    })
    window.paintObserver.observe({ type: 'event', durationThreshold: 16 })`)
}

function paints(page: Page): Promise<Paints> {
  return page.evaluate<Paints>(`(() => {
    const all = [...window.paints, ...Array(Math.max(0, ${keys} - window.paints.length)).fill(16)].sort((a, b) => a - b)
    return { p50Ms: all[Math.floor(all.length * 0.5)], p95Ms: all[Math.floor(all.length * 0.95)], longestMs: all.at(-1) }
  })()`)
}

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
    times.sort((a, b) => a - b)
    return {
      count: times.length,
      p95Ms: Math.round(times[Math.floor(times.length * 0.95)]),
      longestMs: Math.round(times.at(-1))
    }
  })()`)
}
