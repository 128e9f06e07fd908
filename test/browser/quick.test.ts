// The server is there within a second, and so is every page of the gallery, on a slow computer. vitest.config.ts runs
// this file alone.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { pages } from '../../demo/pages.js'
import { describeGallery } from './gallery.ts'
import { startServer } from './server-process.ts'

const interactiveMsMax = 1000
const cpuThrottle = 4
const startMsMax = 1000
const rounds = 5

/** What a page has when it can be used; both panes of a room are online as well. */
const ready: Record<string, string> = {
  index: '#snippet-code span',
  text: '.cm-content',
  rich: '.ProseMirror h1',
  board: '.card-face',
  draw: '.draw-surface canvas',
  chat: '.chat-field'
}

test('the server with all pages built listens within a second', async () => {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now()
    const server = await startServer({ port: 0 })
    times.push(Math.round(performance.now() - startedAt))
    await server.stop()
  }

  console.info(`the server listens after ${median(times)} ms (${times.join(', ')})`)
  expect(median(times)).toBeLessThan(startMsMax)
})

describeGallery('every page', gallery => {
  test.each(pages.map(({ id }) => id))('%s can be used within a second on a slow computer', async name => {
    const page = await gallery.visit(`${gallery.url}/source/index.html`)
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: cpuThrottle })
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      await page.goto(`${gallery.url}/source/index.html`)
      await devtools.send('Network.clearBrowserCache')
      await page.goto(`${gallery.url}/${name}.html#demo-${name}-${Date.now()}`)
      times.push(Math.round(await interactiveMs(page, name)))
    }

    console.info(
      `${name}: interactive after ${median(times)} ms with ${cpuThrottle}x throttling (${times.join(', ')})`
    )
    expect(median(times)).toBeLessThan(interactiveMsMax)
  })
})

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
}

/** When both panes take input: from the start of the navigation to the first frame in which everything is there. */
function interactiveMs(page: Page, name: string): Promise<number> {
  return page.evaluate<number>(`(async () => {
    const panes = ${name === 'index' ? 0 : 2}
    const isReady = () =>
      document.querySelectorAll('[data-connection=online]').length >= panes && document.querySelector('${ready[name]}')
    while (!isReady()) await new Promise(requestAnimationFrame)
    await new Promise(requestAnimationFrame)
    return performance.now()
  })()`)
}
