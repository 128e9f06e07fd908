// The wire view in a real browser: what it shows is what passed, and it costs nothing while it is closed.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { pages } from '../../demo/pages.js'
import { bothOnline, describeGallery, pane, patience, type Seat, toggle } from './gallery.ts'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const rooms = pages.map(({ id }) => id).filter(id => id !== 'index')
const editors = { text: '.cm-content', rich: '.ProseMirror' } as const
const durable = { text: /^durable after ≤ \d+ ms$/, rich: /^durable after \d+ ms$/ } as const
const dialects = { text: 'y-websocket', rich: 'Hocuspocus' } as const

describeGallery('the wire view', gallery => {
  async function visit(name: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await gallery.visit(`${gallery.url}/${name}.html`, options)
    await bothOnline(page)
    return page
  }

  test.each(['text', 'rich'] as const)(
    '%s: typing is an outgoing message that says what it did, and is durable a moment later',
    async name => {
      const page = await visit(name)
      await openWire(page)

      await type(page, name, 'left', 'hel')

      const sent = rows(page, { way: 'sent', seat: 'left', type: 'Update' }).first()
      await expect.poll(() => cell(sent, 'words'), patience).toMatch(/^insert "h" at \d+ in /)
      await expect.poll(() => cell(sent, 'durable'), patience).toMatch(durable[name])
      expect(await cell(sent, 'dialect')).toBe(dialects[name])
      expect(await cell(sent, 'author')).toBe(await nameOf(page, 'left'))
      expect(await cell(sent, 'size')).toMatch(/^\d+ B$/)
    }
  )

  test.each(['text', 'rich'] as const)(
    '%s: the other pane’s incoming message names its author, of a deletion as well',
    async name => {
      const page = await visit(name)
      await openWire(page)

      const received = rows(page, { way: 'received', seat: 'right', type: 'Update' })
      const author = await nameOf(page, 'left')
      // One edit at a time: the server may send on several as one.
      await type(page, name, 'left', 'h')
      const inserted = received.filter({ hasText: 'insert "h" at' })
      await expect.poll(() => inserted.count(), patience).toBe(1)
      await page.keyboard.press('Backspace')
      const deleted = received.filter({ hasText: 'delete 1 at' })
      await expect.poll(() => deleted.count(), patience).toBe(1)

      expect(await cell(inserted, 'author')).toBe(author)
      expect(await cell(deleted, 'author')).toBe(author)
    }
  )

  test.each(['text', 'rich'] as const)('%s: a cursor that moves is an awareness message', async name => {
    const page = await visit(name)
    await openWire(page)

    await pane(page, 'left').locator(editors[name]).focus()
    await page.keyboard.press('Control+End')

    const moved = rows(page, { way: 'received', seat: 'right', type: 'Awareness' }).filter({
      hasText: 'cursor moved'
    })
    await expect.poll(() => cell(moved.first(), 'author'), patience).toBe(await nameOf(page, 'left'))
  })

  test.each(['text', 'rich'] as const)(
    '%s: who leaves is seen to leave, and a connection is greeted with state vectors',
    async name => {
      const page = await visit(name)
      const right = await nameOf(page, 'right')
      await openWire(page)

      await toggle(page, 'right')
      const left = rows(page, { way: 'received', seat: 'left', type: 'Awareness' }).filter({
        hasText: 'left'
      })
      await expect.poll(() => left.last().textContent(), patience).toContain(right)
      await expect.poll(() => rows(page, { way: 'closed', seat: 'right' }).count(), patience).toBe(1)
      await toggle(page, 'right')

      await expect.poll(() => rows(page, { way: 'opened', seat: 'right' }).count(), patience).toBe(1)
      const first = rows(page, { way: 'sent', seat: 'right', type: 'SyncStep1' }).first()
      await expect
        .poll(() => cell(first, 'words'), patience)
        .toMatch(/^state vector of \d+ clients?: what is missing\?$/)
      await rows(page, { way: 'received', seat: 'right', type: 'SyncStep2' }).first().waitFor()
      if (name === 'rich')
        await rows(page, { way: 'received', seat: 'right', type: 'Auth' }).first().waitFor()
    }
  )

  test('what was written offline is one message when the pane comes back, and becomes durable', async () => {
    const page = await visit('text')
    await openWire(page)
    await toggle(page, 'left')
    await expect.poll(() => rows(page, { way: 'closed', seat: 'left' }).count(), patience).toBe(1)
    await type(page, 'text', 'left', 'abc')

    await toggle(page, 'left')

    const answer = rows(page, { way: 'sent', seat: 'left', type: 'SyncStep2' })
    await expect.poll(() => cell(answer, 'words'), patience).toMatch(/^insert "abc" at \d+ in text$/)
    await expect.poll(() => cell(answer, 'durable'), patience).toMatch(durable.text)
  })

  test('a closed view decodes nothing, and is not even fetched before it is opened', async () => {
    const page = await visit('text')
    const fetched = () =>
      page.evaluate<string[]>(
        'performance.getEntriesByType("resource").map(({ name }) => name).filter(name => /panel-/.test(name))'
      )
    await type(page, 'text', 'left', 'unseen')
    expect(await fetched()).toEqual([])

    await openWire(page)
    expect(await fetched()).not.toEqual([])
    await type(page, 'text', 'left', 'a')
    await rows(page, { way: 'sent', seat: 'left', type: 'Update' }).first().waitFor()
    await page.getByRole('button', { name: 'Close the wire view' }).click()
    const decoded = await page.locator('.wire').getAttribute('data-decoded')
    await type(page, 'text', 'left', 'bcdef')
    await expect
      .poll(() => pane(page, 'right').locator('.cm-content').textContent(), patience)
      .toContain('abcdef')

    expect(await page.locator('.wire').getAttribute('data-decoded')).toBe(decoded)
    await openWire(page)
    await type(page, 'text', 'left', 'g')
    const sent = rows(page, { way: 'sent', seat: 'left', type: 'Update' }).last()
    await expect.poll(() => cell(sent, 'words'), patience).toMatch(/^insert "g" at \d+ in text$/)
  })

  test('at most 500 messages are kept, the last ones', async () => {
    const page = await visit('draw')
    await openWire(page)
    const canvas = pane(page, 'left').locator('.draw-surface canvas').first()
    const box = await canvas.boundingBox()
    if (box === null) throw new Error('the canvas is not shown')

    const decoded = async () => Number(await page.locator('.wire').getAttribute('data-decoded'))
    for (let step = 0; (await decoded()) <= 600; step++) {
      const x = step % 2 === 0 ? 20 : 220
      await page.mouse.move(box.x + x, box.y + 20 + (step % 40), { steps: 40 })
    }

    await expect.poll(() => page.locator('.wire-row').count(), patience).toBe(500)
    expect(await page.locator('.wire-count').textContent()).toMatch(/^the last 500 of [\d,]+ messages$/)
  })

  test('paused it stands still, cleared it is empty, and it goes on in the right place', async () => {
    const page = await visit('text')
    await openWire(page)
    await type(page, 'text', 'left', 'a')
    await rows(page, { way: 'sent', seat: 'left', type: 'Update' }).first().waitFor()

    await page.getByRole('button', { name: 'Pause' }).click()
    const held = await page.locator('.wire-row').count()
    await type(page, 'text', 'left', 'bc')
    await expect
      .poll(() => pane(page, 'right').locator('.cm-content').textContent(), patience)
      .toContain('abc')
    expect(await page.locator('.wire-row').count()).toBe(held)
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.locator('.wire-empty').waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await type(page, 'text', 'left', 'd')

    const sent = rows(page, { way: 'sent', seat: 'left', type: 'Update' })
    await expect.poll(() => cell(sent, 'words'), patience).toMatch(/^insert "d" at \d+ in text$/)
    expect(await sent.count()).toBe(1)
  })

  test('awareness and panes can be filtered away', async () => {
    const page = await visit('text')
    await openWire(page)
    await type(page, 'text', 'left', 'a')
    await rows(page, { way: 'received', seat: 'right', type: 'Update' }).first().waitFor()
    const shown = (selector: string) => page.locator(`.wire-row:not([hidden])${selector}`).count()
    await expect.poll(() => shown('[data-type=Awareness]'), patience).toBeGreaterThan(0)

    await page.getByRole('checkbox', { name: 'Awareness' }).uncheck()
    await page.getByLabel('Panes shown').selectOption('right')

    expect(await shown('[data-type=Awareness]')).toBe(0)
    expect(await shown('[data-seat=left]')).toBe(0)
    expect(await shown('[data-seat=right]')).toBeGreaterThan(0)
    await page.getByRole('checkbox', { name: 'Awareness' }).check()
    await page.getByLabel('Panes shown').selectOption('both')
    expect(await shown('[data-type=Awareness]')).toBeGreaterThan(0)
  })

  test('with the keyboard alone: opened, walked through, a row opened for its bytes, closed', async () => {
    const page = await visit('text')
    await page.locator('#open-wire').focus()
    await page.keyboard.press('Enter')
    await page.locator('.wire:not([hidden])').waitFor()
    await type(page, 'text', 'left', 'hel')
    await expect
      .poll(() => rows(page, { way: 'received', seat: 'left', type: 'SyncStep2' }).count(), patience)
      .toBeGreaterThan(0)

    await page.getByRole('button', { name: 'Close the wire view' }).focus()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Home')
    while ((await page.evaluate('document.activeElement.parentElement.dataset.type')) !== 'Update') {
      await page.keyboard.press('ArrowDown')
    }
    await page.keyboard.press('Enter')

    const details = page.locator('.wire-details')
    expect(await details.locator('.wire-facts').textContent()).toMatch(
      /^y-websocket, connection 1 of the left pane/
    )
    expect(await details.getByRole('region', { name: /^Decoded/ }).textContent()).toMatch(
      // Keys that come faster than a busy machine sends them leave together.
      /\d+:\d+ text "h(?:e|el)?" after/
    )
    expect(await details.getByRole('region', { name: /^Bytes/ }).textContent()).toMatch(/^0000 {2}00 02 /)
    await page.keyboard.press('Escape')
    expect(await page.locator('.wire').isVisible()).toBe(false)
    expect(await page.evaluate('document.activeElement.id')).toBe('open-wire')
  })

  test('a row can be clicked while messages pass, and stays in sight while one reads it', async () => {
    const page = await visit('text')
    await openWire(page)
    const guest = await gallery.visit(page.url())
    const all = page.locator('.wire-row')
    /** The guest goes on until so many more have passed. */
    const pass = async (more: number) => {
      const wanted = (await all.count()) + more
      while ((await all.count()) < wanted) await type(guest, 'text', 'left', 'x')
    }
    await pass(60)
    // The last answers come after the last edit.
    for (let before = -1; before !== (await all.count()); await page.waitForTimeout(500))
      before = await all.count()
    const row = all.nth((await all.count()) - 1)
    const box = await row.locator('.wire-line').boundingBox()
    if (box === null) throw new Error('the last row is not in sight')

    await page.mouse.move(box.x + 20, box.y + box.height / 2)
    await page.mouse.down()
    await pass(20)
    await page.mouse.up()
    const details = row.locator('.wire-details')
    await details.waitFor()
    const before = await details.boundingBox()
    await pass(20)

    expect(await details.boundingBox()).toEqual(before)
  })

  test('left open it is open on the next page, and has seen the handshake there', async () => {
    const page = await visit('text')
    await openWire(page)

    await page.locator('.site-nav').getByRole('link', { name: 'Chat' }).click()

    await expect.poll(() => page.url(), patience).toContain('chat.html')
    for (const seat of ['left', 'right'] as const) {
      await rows(page, { way: 'opened', seat }).first().waitFor()
      await rows(page, { way: 'sent', seat, type: 'SyncStep1' }).first().waitFor()
    }
  })

  test.each(rooms)(
    'on the page %s it shows what passes and passes axe, on a desk and a phone',
    async name => {
      for (const options of [
        { colorScheme: 'light' as const },
        { colorScheme: 'dark' as const, viewport: { width: 390, height: 844 } }
      ]) {
        const page = await visit(name, options)
        await openWire(page)
        // On a slow machine the end of the greeting has passed through it by now.
        await page.getByRole('button', { name: 'Clear', exact: true }).click()
        // Bots write on the chaos page, so that its view may be filled again before anybody has looked.
        if (name !== 'chaos') await page.locator('.wire-empty').waitFor()
        expect(await accessibilityFindings(page)).toEqual([])

        await toggle(page, 'left')
        await rows(page, { way: 'closed', seat: 'left' }).first().waitFor()
        await toggle(page, 'left')
        const step = rows(page, { way: 'sent', seat: 'left', type: 'SyncStep1' }).first()
        await step.locator('.wire-line').click()

        await page.locator('.wire-details').waitFor()
        expect(await accessibilityFindings(page)).toEqual([])
        const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
        expect(await page.evaluate(overflow)).toBe(0)
      }
    }
  )

  test('the board’s and the chat’s changes are told by key and place', async () => {
    const board = await visit('board')
    await openWire(board)
    await pane(board, 'left').locator('.card-face').first().click()
    const editor = pane(board, 'left').locator('.card-panel .cm-content')
    await editor.focus()
    await board.keyboard.press('Control+End')
    await board.keyboard.type('z')
    const sent = rows(board, { way: 'sent', seat: 'left', type: 'Update' })
    await expect.poll(() => sent.filter({ hasText: /insert "z" at \d+ in board-/ }).count(), patience).toBe(1)

    const chat = await visit('chat')
    await openWire(chat)
    await pane(chat, 'left').locator('.chat-field').fill('Hello there.')
    await chat.keyboard.press('Enter')
    const received = rows(chat, { way: 'received', seat: 'right', type: 'Update' })
    await expect.poll(() => received.filter({ hasText: / in chat-/ }).count(), patience).toBeGreaterThan(0)
  })
})

async function openWire(page: Page): Promise<void> {
  await page.locator('#open-wire').click()
  await page.locator('.wire:not([hidden])').waitFor()
}

type RowQuery = { readonly way: string; readonly seat: Seat; readonly type?: string }

function rows(page: Page, { way, seat, type }: RowQuery): Locator {
  const ofType = type === undefined ? '' : `[data-type=${type}]`
  return page.locator(`.wire-row[data-way=${way}][data-seat=${seat}]${ofType}`)
}

function cell(row: Locator, name: string): Promise<string | null> {
  return row.locator(`.wire-${name}`).textContent()
}

function nameOf(page: Page, seat: Seat): Promise<string> {
  return pane(page, seat).locator('.person-name').inputValue()
}

async function type(page: Page, name: keyof typeof editors, seat: Seat, words: string): Promise<void> {
  await pane(page, seat).locator(editors[name]).focus()
  await page.keyboard.press('Control+End')
  await page.keyboard.type(words)
}

async function accessibilityFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  return page.evaluate<string[]>(`axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => id + ': ' + target.join(' ') + ' ' + failureSummary)))`)
}
