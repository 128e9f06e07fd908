// The text page in a real browser, against the built server: what a visitor does in the first minute.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { declareCuts, declareRestores, editorOf, saved } from './editors.ts'
import { bothEqual, describeGallery, pane, patience, presentIn, type Seat, savingOf } from './gallery.ts'

const starterWords = 'Two people can write here at the same time.'

const editorPage = { path: '/text.html', starterWords, textOf, typeAtEnd }

describeGallery('the text page', gallery => {
  const { visitFreshRoom, bothContain } = editorOf(gallery, editorPage)
  declareCuts(gallery, editorPage)
  declareRestores(gallery, editorPage)

  test('what is typed on the left appears on the right, and the other way round', async () => {
    const page = await visitFreshRoom()

    await typeAtEnd(page, 'left', 'from the left. ')
    await bothContain(page, 'from the left.')
    await typeAtEnd(page, 'right', 'from the right.')

    await bothContain(page, 'from the right.')
    await bothEqual(page)
    expect(await textOf(page, 'left')).toBe(await textOf(page, 'right'))
  })

  test('the viewer, which has no Yjs, shows what is written as it comes', async () => {
    const page = await visitFreshRoom()
    const address = (await page.locator('#viewer').getAttribute('href')) ?? ''
    const viewer = await gallery.visit(new URL(address, page.url()).href)
    const shown = () => viewer.locator('#text').textContent()
    await expect.poll(shown, patience).toContain(starterWords)

    await typeAtEnd(page, 'left', 'Hello 😀 viewer')
    for (let times = 0; times < 'viewer'.length; times++) await page.keyboard.press('Backspace')

    await expect.poll(shown, patience).toMatch(/Hello 😀 $/)
    expect(await viewer.locator('#state').textContent()).toBe('Live.')
    // Whoever wants to write comes to the same room.
    expect(await viewer.locator('#write').getAttribute('href')).toContain(new URL(page.url()).hash)
  })

  test('each side sees the cursor of the other with its name, and a new name at once', async () => {
    const page = await visitFreshRoom()
    const cursor = pane(page, 'right').locator('.cm-ySelectionInfo')
    const name = pane(page, 'left').locator('.person-name')

    await typeAtEnd(page, 'left', 'here I am')

    await expect.poll(() => cursor.allTextContents(), patience).toEqual([await name.inputValue()])
    await name.fill('Zuse')
    await expect.poll(() => cursor.allTextContents(), patience).toEqual(['Zuse'])
  })

  test('an edit is called saved when the server has answered', async () => {
    const page = await visitFreshRoom()
    await expect.poll(() => savingOf(page, 'right'), patience).toBe('In sync')

    await typeAtEnd(page, 'right', 'keep this')

    await expect.poll(() => savingOf(page, 'right'), patience).toMatch(saved)
  })

  test('undo takes back one’s own edits only, and redo brings them back', async () => {
    const page = await visitFreshRoom()
    await typeAtEnd(page, 'left', 'mine')
    await bothContain(page, 'mine')
    await typeAtEnd(page, 'right', 'yours')
    await bothContain(page, 'yours')

    await pane(page, 'left').locator('.cm-content').focus()
    await page.keyboard.press('Control+z')
    await expect.poll(() => textOf(page, 'right'), patience).not.toContain('mine')
    // Nothing of one's own is left: neither the other's words nor the starter text may go.
    await page.keyboard.press('Control+z')
    expect(await textOf(page, 'left')).toContain('yours')
    expect(await textOf(page, 'left')).toContain(starterWords)

    await page.keyboard.press('Control+Shift+Z')
    await bothContain(page, 'mine')
  })

  test('lines, words and characters are edited as everywhere', async () => {
    const page = await visitFreshRoom()
    const left = pane(page, 'left').locator('.cm-content')
    await left.focus()
    for (const key of ['Control+a', 'Backspace']) await page.keyboard.press(key)
    await page.keyboard.type('one\ntwo three\nfour')

    for (const key of ['Control+Backspace', 'Backspace', 'Control+Backspace']) await page.keyboard.press(key)
    for (const key of ['ArrowUp', 'End', 'Delete']) await page.keyboard.press(key)
    await page.keyboard.type(' 👍🏽é')
    await page.keyboard.press('Backspace')

    await expect.poll(() => textOf(page, 'right'), patience).toBe('one 👍🏽two ')
    expect(await textOf(page, 'left')).toBe('one 👍🏽two ')
  })

  test('the copied link opens the same room elsewhere; presence appears there and here, and disappears', async () => {
    const page = await visitFreshRoom({ permissions: ['clipboard-read', 'clipboard-write'] })
    await typeAtEnd(page, 'left', 'carried over')
    await page.locator('#copy-link').click()
    await expect.poll(() => page.locator('#copy-link-label').textContent(), patience).toBe('Copied')
    const link = await page.evaluate<string>('navigator.clipboard.readText()')

    const guest = await gallery.visit(link)

    await bothContain(guest, 'carried over')
    expect((await textOf(guest, 'left')).split(starterWords)).toHaveLength(2)
    await expect.poll(() => presentIn(guest, 'left'), patience).toBe(4)
    await expect.poll(() => presentIn(page, 'right'), patience).toBe(4)
    await guest.context().close()
    await expect.poll(() => presentIn(page, 'right'), patience).toBe(2)
  })

  test('an emptied room stays empty when it is opened again', async () => {
    const page = await visitFreshRoom()
    await pane(page, 'left').locator('.cm-content').focus()
    await page.keyboard.press('Control+a')
    await page.keyboard.press('Delete')
    await expect.poll(() => savingOf(page, 'left'), patience).toMatch(/^Saved/)

    await page.reload()

    await expect.poll(() => savingOf(page, 'left'), patience).toBe('In sync')
    await expect.poll(() => page.locator('.cm-placeholder').count(), patience).toBe(2)
  })

  test('name, colour and theme are remembered', async () => {
    const page = await visitFreshRoom()
    await pane(page, 'left').locator('.person-name').fill('Konrad')
    await pane(page, 'left').locator('.person-color').click()
    await page.getByRole('radio', { name: 'Teal' }).check()
    await page.locator('#theme').click()

    await page.reload()

    expect(await pane(page, 'left').locator('.person-name').inputValue()).toBe('Konrad')
    expect(await pane(page, 'left').getAttribute('style')).toContain('#0c7f93')
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark')
  })
})

/** The text of a pane without the name tags of cursors, which stand inside the lines. */
function textOf(page: Page, seat: Seat): Promise<string> {
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
