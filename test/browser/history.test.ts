// The history page in a real browser, against the built server: slide, play, point, compare, name, restore.
import type { BrowserContextOptions, Page, Request } from 'playwright-core'
import { expect, test } from 'vitest'
import { createServer } from '../../src/server.ts'
import { quietLog } from '../support/server.ts'
import { bothEqual, cutOff, describeGallery, pane, patience, type Seat, toggle } from './gallery.ts'
import { startServer } from './server-process.ts'

/** What the bots leave behind, and what they took away again. */
const written = `Summer party

We meet on Friday at six, in the garden. If it rains, in the hall.
The kitchen makes pizza. Music: the neighbours’ band.
`
const removed = 'Everybody brings a salad. '
const draft = `Summer party

We meet on Friday at six, in the garden.
${removed}Music: the neighbours’ band.
`

describeGallery('the history page', gallery => {
  /** Opens a fresh room and waits until the bots have written its past. */
  const visitFreshRoom = async (options: BrowserContextOptions = {}) => {
    const page = await gallery.visit(`${gallery.url}/history.html`, options)
    await botsAreDone(page)
    return page
  }

  let oldRoom: string | null = null
  /** Opens a room whose past is written already, for tests that leave it as it is. */
  const visitOldRoom = async (options: BrowserContextOptions = {}) => {
    if (oldRoom === null) {
      const page = await visitFreshRoom(options)
      oldRoom = new URL(page.url()).hash
      return page
    }
    const page = await gallery.visit(`${gallery.url}/history.html${oldRoom}`, options)
    await expect.poll(() => paneText(page, 'left'), patience).toBe(written)
    await expect.poll(() => pastText(page), patience).toBe(written)
    return page
  }

  test('a new room gets a text with a past, and the slider goes back to what was', async () => {
    const page = await visitOldRoom()
    await expect.poll(() => pastText(page), patience).toBe(written)

    await slideTo(page, 0)
    await expect
      .poll(() => page.locator('.past-text').textContent(), patience)
      .toBe('Nothing had been written.')
    await page.locator('.past-version-name', { hasText: 'First draft' }).click()

    await expect.poll(() => pastText(page), patience).toBe(draft)
    // The open editors show what is, not what was.
    expect(await paneText(page, 'left')).toBe(written)
    await page.locator('.past-range').press('End')
    await expect.poll(() => pastText(page), patience).toBe(written)
  })

  test('of two visitors who open a new room at once, one sends the bots', async () => {
    const url = `${gallery.url}/history.html#demo-at-once`

    const pages = await Promise.all([gallery.visit(url), gallery.visit(url)])

    for (const page of pages) {
      await page.locator('.past-version-name', { hasText: 'First draft' }).waitFor()
      await expect.poll(() => paneText(page, 'left'), patience).toBe(written)
      await expect.poll(() => pastText(page), patience).toBe(written)
    }
  })

  test('however fast the slider is moved, what it stands at is shown, and no requests pile up', async () => {
    const page = await visitOldRoom()
    await expect.poll(() => pastText(page), patience).toBe(written)
    let underWay = 0
    let most = 0
    const isQuestion = (url: string) => /\/history\/(blame|diff)\?/.test(url)
    page.on('request', request => {
      if (isQuestion(request.url())) most = Math.max(most, ++underWay)
    })
    const ended = (request: Request) => {
      if (isQuestion(request.url())) underWay -= 1
    }
    page.on('requestfinished', ended)
    page.on('requestfailed', ended)

    for (let step = 0; step <= 60; step++) await slideTo(page, step / 60)
    await slideTo(page, 0)

    await expect
      .poll(() => page.locator('.past-text').textContent(), patience)
      .toBe('Nothing had been written.')
    await expect.poll(() => underWay, patience).toBe(0)
    // One that is given up may still be reported when the next one begins.
    expect(most).toBeLessThanOrEqual(2)
  })

  test('playing goes through the past and reaches the newest moment', async () => {
    const page = await visitOldRoom()
    await page.evaluate(`
      window.seen = new Set()
      new MutationObserver(() => window.seen.add(document.querySelector('.past-text').textContent))
        .observe(document.querySelector('.past-text'), { childList: true })`)

    await page.getByRole('button', { name: 'Play the past' }).click()

    await page.getByRole('button', { name: 'Stop' }).waitFor()
    await page.getByRole('button', { name: 'Play the past' }).waitFor()
    await expect.poll(() => pastText(page), patience).toBe(written)
    const seen = await page.evaluate<string[]>('[...window.seen]')
    expect(seen.length).toBeGreaterThan(10)
    expect(seen.some(text => text.includes(removed))).toBe(true)
  })

  test('pointing at words names who wrote them, and so do the arrow keys', async () => {
    const page = await visitOldRoom()
    await expect.poll(() => pastText(page), patience).toBe(written)
    const tag = page.locator('.past-tag')

    await page.locator('.past-passage', { hasText: 'pizza' }).hover()
    await expect.poll(() => tag.textContent(), patience).toMatch(/^Bot Ida wrote this · \d\d:\d\d:\d\d$/)
    await page.locator('.past-passage', { hasText: 'band' }).hover()
    await expect.poll(() => tag.textContent(), patience).toMatch(/^Bot Otto wrote this/)

    await page.locator('.past-text').focus()
    await page.mouse.move(0, 0)
    await page.keyboard.press('ArrowRight')
    await expect.poll(() => tag.textContent(), patience).toMatch(/^Bot Ida wrote this/)
    await page.keyboard.press('Escape')
    expect(await tag.isVisible()).toBe(false)
  })

  test('what a visitor writes is theirs in the past', async () => {
    const page = await visitFreshRoom()
    await typeAtEnd(page, 'right', 'See you there!')
    const name = await pane(page, 'right').locator('.person-name').inputValue()

    await expect.poll(() => pastText(page), patience).toBe(`${written}See you there!`)
    await expect
      .poll(() => page.locator('.past-passage', { hasText: 'See you' }).getAttribute('data-author'), patience)
      .toBe(name)
  })

  test('a comparison shows what was added and removed, and by whom', async () => {
    const page = await visitOldRoom()
    await page.locator('#past-compare').selectOption({ index: 3 })

    await expect.poll(() => changes(page, 'del'), patience).toEqual([['Bot Ida', removed]])
    await expect
      .poll(() => changes(page, 'ins'), patience)
      .toEqual([
        ['Bot Otto', ' If it rains, in the hall.'],
        ['Bot Ida', 'The kitchen makes pizza. ']
      ])
    expect(await page.locator('.past-compared').textContent()).toMatch(/^What changed from .+ to now\.$/)

    await page.getByLabel('Strike out what was removed').uncheck()
    expect(await page.locator('del.past-passage').isVisible()).toBe(false)
  })

  test('a named moment is a mark that survives a reload, until it is removed', async () => {
    const page = await visitFreshRoom()
    await page.locator('.past-name').fill('Ready for print')
    await page.getByRole('button', { name: 'Name this moment' }).click()
    await page.locator('.past-version-name', { hasText: 'Ready for print' }).waitFor()

    await page.reload()

    await page.locator('.past-version-name', { hasText: 'Ready for print' }).waitFor()
    expect(await page.locator('.past-mark[title="Ready for print"]').count()).toBe(1)
    await page.getByRole('button', { name: 'Remove the name “Ready for print”' }).click()
    await expect.poll(() => page.locator('.past-mark').count(), patience).toBe(1)
  })

  test('a restore changes the open editors and keeps what is typed meanwhile; it can be restored', async () => {
    const page = await visitFreshRoom()
    await page.locator('.past-version-name', { hasText: 'First draft' }).click()
    await expect.poll(() => pastText(page), patience).toBe(draft)
    // On a slow line: what is typed has not arrived when the text is restored.
    await cutOff(page, 'left')
    await typeAtEnd(page, 'left', 'Bring a jumper.')

    await page.getByRole('button', { name: 'Restore this moment' }).click()
    await expect.poll(() => paneText(page, 'right'), patience).toBe(draft)
    expect(await paneText(page, 'left')).toBe(`${written}Bring a jumper.`)
    await toggle(page, 'left')

    for (const seat of ['left', 'right'] as const) {
      await expect.poll(() => paneText(page, seat), patience).toBe(`${draft}Bring a jumper.`)
    }
    await bothEqual(page)
    await page.locator('.past-version[data-kind=before-restore] .past-version-name').click()
    await expect.poll(() => pastText(page), patience).toBe(written)
    await page.getByRole('button', { name: 'Restore this moment' }).click()
    await expect.poll(() => paneText(page, 'right'), patience).toBe(written)
  })

  test('what one person did since a moment is taken back, and the others’ words stay', async () => {
    const page = await visitFreshRoom()
    await page.locator('.past-version-name', { hasText: 'First draft' }).click()

    await page.locator('.past-undo-person', { hasText: 'Bot Ida' }).click()

    const expected = written.replace('The kitchen makes pizza. ', removed)
    await expect.poll(() => paneText(page, 'left'), patience).toBe(expected)
  })

  test('the wire view shows a restore as the edit that it is', async () => {
    const page = await visitFreshRoom()
    await page.locator('#open-wire').click()
    await page.locator('.past-version-name', { hasText: 'First draft' }).click()

    await page.getByRole('button', { name: 'Restore this moment' }).click()

    await expect.poll(() => page.locator('#wire').textContent(), patience).toContain('in past-text')
  })

  test('the name of a moment cannot be empty, and the page says so', async () => {
    const page = await visitOldRoom()

    await page.getByRole('button', { name: 'Name this moment' }).click()

    expect(await page.locator('.past-report').textContent()).toContain('Type a name first')
  })

  test('without a server the page says so, and goes on when it is back', async () => {
    const first = await startServer({ port: 0 })
    const page = await gallery.visit(`${first.url}/history.html`)
    await botsAreDone(page)
    await first.stop()

    await slideTo(page, 0.41)
    await expect.poll(() => troubleOf(page), patience).toContain('The server does not answer')

    const second = await startServer({ port: Number(new URL(first.url).port) })
    await page.locator('.past-trouble').waitFor({ state: 'hidden' })
    await page.close()
    await second.stop()
    // A browser reports each failed connection as an error; here that was the point.
    gallery.forgive('WebSocket connection to')
    gallery.forgive('Failed to load resource')
  })

  test.each([
    { words: 'shows you no history', options: {} },
    { words: 'keeps no history', options: { openHistory: 'restore' } }
  ] as const)('where a server $words the page says what is needed', async ({ words, options }) => {
    const server = createServer({ port: 0, data: ':memory:', log: quietLog, ...options })
    const url = await server.listen()
    const page = await gallery.visit(`${url}/history.html#plain`)
    await typeAtEnd(page, 'left', 'Hello.')

    await expect.poll(() => troubleOf(page), patience).toContain(words)

    expect(await page.locator('.past-range').isVisible()).toBe(false)
    expect(await paneText(page, 'left')).toBe('Hello.')
    await page.close()
    await server.stop()
    gallery.forgive('Failed to load resource')
  })

  test('on a phone the past stands below the editor, and everything in it can be reached', async () => {
    const page = await visitOldRoom({ viewport: { width: 390, height: 844 }, hasTouch: true })
    const editor = await pane(page, 'left').boundingBox()
    const past = await page.locator('#past').boundingBox()
    expect(past?.y).toBeGreaterThanOrEqual((editor?.y ?? 0) + (editor?.height ?? 0))

    await page.locator('.past-passage', { hasText: 'pizza' }).tap()
    await expect.poll(() => page.locator('.past-tag').textContent(), patience).toMatch(/^Bot Ida wrote this/)
    for (const width of [390, 320]) {
      await page.setViewportSize({ width, height: 640 })
      const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
      expect(await page.evaluate(overflow)).toBe(0)
    }
  })
})

async function botsAreDone(page: Page): Promise<void> {
  await expect.poll(() => page.locator('.past-report').textContent(), patience).toContain('The bots are done')
  await expect.poll(() => paneText(page, 'left'), patience).toBe(written)
  await expect.poll(() => pastText(page), patience).toBe(written)
}

function pastText(page: Page): Promise<string | null> {
  return page.locator('.past-text').textContent()
}

function troubleOf(page: Page): Promise<string | null> {
  return page.locator('.past-trouble').textContent()
}

/** What was added (`ins`) or removed (`del`), each with who did it. */
function changes(page: Page, tag: 'ins' | 'del'): Promise<string[][]> {
  return page.evaluate<string[][]>(
    `[...document.querySelectorAll('${tag}.past-passage')].map(each => [each.dataset.author, each.textContent])`
  )
}

/** `share`: 0 is the beginning, 1 is now. */
async function slideTo(page: Page, share: number): Promise<void> {
  await page.evaluate(`{
    const range = document.querySelector('.past-range')
    const [min, max] = [Number(range.min), Number(range.max)]
    range.value = String(Math.round(min + (max - min) * ${share}))
    range.dispatchEvent(new Event('input', { bubbles: true }))
  }`)
}

/** The text of a pane without the name tags of cursors, which stand inside the lines. */
function paneText(page: Page, seat: Seat): Promise<string> {
  return page.evaluate<string>(`
    [...document.querySelectorAll('[data-pane=${seat}] .cm-line')].map(line => {
      const copy = line.cloneNode(true)
      copy.querySelectorAll('.cm-ySelectionCaret, .cm-placeholder').forEach(node => node.remove())
      return copy.textContent
    }).join('\\n')`)
}

async function typeAtEnd(page: Page, seat: Seat, words: string): Promise<void> {
  await pane(page, seat).locator('.cm-line').last().click()
  await page.keyboard.press('Control+End')
  await page.keyboard.type(words)
}
