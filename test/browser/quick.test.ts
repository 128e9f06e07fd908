// Every page of the gallery can be used within a second on a slow computer. vitest.config.ts runs this file alone.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { pages } from '../../demo/pages.js'
import { describeGallery } from './gallery.ts'

const interactiveMsMax = 1000
const cpuThrottle = 4
const rounds = 5

/** What a page has when it can be used; both panes of a room are online as well. */
const ready: Record<string, string> = {
  index: '#snippet-code span',
  text: '.cm-content',
  board: '.card-face',
  draw: '.draw-surface canvas',
  chat: '.chat-field'
}

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

    const median = times.toSorted((a, b) => a - b)[Math.floor(rounds / 2)]
    console.info(
      `${name}: interactive after ${median} ms with ${cpuThrottle}x throttling (${times.join(', ')})`
    )
    expect(median).toBeLessThan(interactiveMsMax)
  })
})

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
