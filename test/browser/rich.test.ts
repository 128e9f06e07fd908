// The rich text page in a real browser, against the built server: Tiptap over Hocuspocus's provider, and a client of
// the other dialect in the same room.
import type { Page } from 'playwright-core'
import type { EditorState } from 'prosemirror-state'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { connect, synced } from '../support/clients.ts'
import { bundle } from './bundle.ts'
import { declareCuts, declareRestores, editorOf, saved } from './editors.ts'
import {
  bothEqual,
  describeGallery,
  pane,
  patience,
  presentIn,
  type Seat,
  savingOf,
  stateOf
} from './gallery.ts'

const starterWords = 'Ask the brass band about Saturday'

const editorPage = { path: '/rich.html', starterWords, textOf, typeAtEnd }

describeGallery('the rich text page', gallery => {
  const { visitFreshRoom, bothContain } = editorOf(gallery, editorPage)
  declareCuts(gallery, editorPage)
  declareRestores(gallery, editorPage)

  test('words and their formatting appear on the other side, in both directions', async () => {
    const page = await visitFreshRoom()

    await typeAtEnd(page, 'left', ' from the left')
    await bothContain(page, 'from the left')
    await pane(page, 'right').locator('.ProseMirror p').first().click({ clickCount: 3 })
    await tool(page, 'right', 'Italic').click()
    await expect
      .poll(() => pane(page, 'left').locator('.ProseMirror > p em').first().textContent(), patience)
      .toContain('Both of you')

    await bothEqual(page)
    expect(await htmlOf(page, 'left')).toBe(await htmlOf(page, 'right'))
  })

  test('each button makes what it says, says so, and takes it back', async () => {
    const page = await visitFreshRoom()
    await emptyBoth(page)
    await page.keyboard.type('a line')
    const marks = [
      ['Heading', 'h1'],
      ['Smaller heading', 'h2'],
      ['List', 'ul > li'],
      ['Numbered list', 'ol > li'],
      ['Quote', 'blockquote'],
      ['Code block', 'pre > code']
    ] as const

    for (const [label, selector] of marks) {
      await tool(page, 'left', label).click()
      await pane(page, 'right').locator(`.ProseMirror ${selector}`, { hasText: 'a line' }).waitFor()
      expect(await tool(page, 'left', label).getAttribute('aria-pressed')).toBe('true')
      await tool(page, 'left', label).click()
      await pane(page, 'right').locator(`.ProseMirror > p`, { hasText: 'a line' }).waitFor()
    }
    await page.keyboard.press('Control+a')
    for (const [label, selector] of [
      ['Bold', 'strong'],
      ['Code', 'code']
    ] as const) {
      await tool(page, 'left', label).click()
      await pane(page, 'right').locator(`.ProseMirror ${selector}`, { hasText: 'a line' }).waitFor()
      await tool(page, 'left', label).click()
    }
  })

  test('the toolbar is one tab stop, and arrow keys go through it', async () => {
    const page = await visitFreshRoom()
    await tool(page, 'left', 'Undo my last change').focus()

    await page.keyboard.press('ArrowRight')
    expect(await focusedLabel(page)).toBe('Redo my last change')
    await page.keyboard.press('End')
    expect(await focusedLabel(page)).toBe('Link')
    await page.keyboard.press('ArrowRight')
    expect(await focusedLabel(page)).toBe('Undo my last change')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('Tab')

    expect(await focusedLabel(page)).toBe('Shared rich text, left pane')
  })

  test('a link is made, opened from its form and removed; an address that runs code is refused', async () => {
    const page = await visitFreshRoom()
    await emptyBoth(page)
    await page.keyboard.type('see here')
    await page.keyboard.press('Control+Shift+ArrowLeft')
    const address = pane(page, 'left').getByLabel('Address of the link')
    const link = pane(page, 'right').locator('.ProseMirror a')

    await tool(page, 'left', 'Link').click()
    await address.fill('javascript:alert(1)')
    await page.keyboard.press('Enter')
    expect(await address.isVisible()).toBe(true)
    await address.fill('example.org')
    await page.keyboard.press('Enter')

    await expect.poll(() => link.getAttribute('href'), patience).toBe('https://example.org')
    await tool(page, 'left', 'Link').click()
    expect(await pane(page, 'left').getByRole('link', { name: 'Open' }).getAttribute('href')).toBe(
      'https://example.org'
    )
    await pane(page, 'left').getByRole('button', { name: 'Remove' }).click()
    await expect.poll(() => link.count(), patience).toBe(0)
    await bothContain(page, 'see here')
  })

  test('undo takes back one’s own edits only, and redo brings them back', async () => {
    const page = await visitFreshRoom()
    await typeAtEnd(page, 'left', ' mine')
    await bothContain(page, 'mine')
    await typeAtEnd(page, 'right', ' yours')
    await bothContain(page, 'yours')

    await tool(page, 'left', 'Undo my last change').click()
    await expect.poll(() => textOf(page, 'right'), patience).not.toContain('mine')
    // Nothing of one's own is left: neither the other's words nor the starter text may go.
    expect(await tool(page, 'left', 'Undo my last change').getAttribute('aria-disabled')).toBe('true')
    await pane(page, 'left').locator('.ProseMirror').focus()
    await page.keyboard.press('Control+z')
    expect(await textOf(page, 'left')).toContain('yours')
    expect(await textOf(page, 'left')).toContain(starterWords)

    await page.keyboard.press('Control+Shift+Z')
    await bothContain(page, 'mine')
  })

  test('each side sees the cursor of the other with its name, and a new name at once', async () => {
    const page = await visitFreshRoom()
    const cursor = pane(page, 'right').locator('.rich-caret-name')
    const name = await pane(page, 'left').locator('.person-name').inputValue()

    await typeAtEnd(page, 'left', ' here I am')

    await expect.poll(() => cursor.allTextContents(), patience).toEqual([name])
    await page.evaluate(`(() => {
      const field = document.querySelector('[data-pane=left] .person-name')
      field.value = 'Zuse'
      field.dispatchEvent(new Event('input', { bubbles: true }))
    })()`)
    await expect.poll(() => cursor.allTextContents(), patience).toEqual(['Zuse'])
  })

  test('a switch turned off and on in one moment ends connected', async () => {
    const page = await visitFreshRoom()

    await page.evaluate(`(() => {
      const input = document.querySelector('[data-pane=left] [role=switch]')
      input.click()
      input.click()
    })()`)
    await typeAtEnd(page, 'left', ' still here')

    await bothContain(page, 'still here')
    await expect.poll(() => stateOf(page, 'left'), patience).toBe('Online')
  })

  test('a second browser joins without writing the starter text again, and presence follows', async () => {
    const page = await visitFreshRoom()
    const guest = await gallery.visit(page.url())

    await bothContain(guest, starterWords)
    await typeAtEnd(guest, 'right', ' from elsewhere')

    await bothContain(page, 'from elsewhere')
    expect((await textOf(guest, 'left')).split(starterWords)).toHaveLength(2)
    await expect.poll(() => presentIn(page, 'right'), patience).toBe(4)
    await guest.context().close()
    await expect.poll(() => presentIn(page, 'right'), patience).toBe(2)
  })

  test('both panes that open an empty room at once write one beginning, and the editor has nothing to correct', async () => {
    const page = await visitFreshRoom()
    const client = connect(gallery.url, roomOf(page))
    onTestFinished(() => client.destroy())
    await synced(client)
    const before = Y.encodeStateVector(client.doc)

    await pane(page, 'right').locator('.ProseMirror').click()
    await pane(page, 'left').locator('.ProseMirror li').first().click()
    await typeAtEnd(page, 'left', '!')
    await bothContain(page, '!')

    expect((await textOf(page, 'left')).split(starterWords)).toHaveLength(2)
    await expect.poll(() => client.doc.getXmlFragment('rich').toString(), patience).toContain('!')
    // One character, and not a node written anew beside it.
    const since = Y.decodeUpdate(Y.encodeStateAsUpdate(client.doc, before)).structs
    expect(since.reduce((sum, { length }) => sum + length, 0)).toBe(1)
  })

  test('a y-websocket client joins the same room: both see the other’s edits and cursor', async () => {
    const page = await visitFreshRoom()
    const client = connect(gallery.url, roomOf(page))
    onTestFinished(() => client.destroy())
    await synced(client)
    const fragment = client.doc.getXmlFragment('rich')

    expect(fragment.toString()).toContain(starterWords)
    const paragraph = new Y.XmlElement('paragraph')
    paragraph.insert(0, [new Y.XmlText('by y-websocket')])
    fragment.insert(1, [paragraph])
    await bothContain(page, 'by y-websocket')
    await typeAtEnd(page, 'right', ' by Hocuspocus')
    await expect.poll(() => fragment.toString(), patience).toContain('by Hocuspocus')
    await expect.poll(() => client.provider.awareness.getStates().size, patience).toBe(3)

    const words = paragraph.get(0) as Y.XmlText
    const at = Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(words, 2))
    client.provider.awareness.setLocalState({
      user: { name: 'Guest', color: '#1971c2' },
      cursor: { anchor: at, head: at }
    })
    for (const seat of ['left', 'right'] as const) {
      await pane(page, seat).locator('.rich-caret-name', { hasText: 'Guest' }).waitFor()
      await expect.poll(() => presentIn(page, seat), patience).toBe(3)
    }
    await bothEqual(page)
  })

  test('the lines below the panes bind another Tiptap to the room', async () => {
    const page = await visitFreshRoom()
    const code = (await page.locator('#snippet-code').textContent()) ?? ''
    // The tests have several versions of the provider, under names of their own.
    const script = await bundle(code.replace(`from '@hocuspocus/provider'`, `from '@hocuspocus/provider4'`))

    const guest = await gallery.visit(`${gallery.url}/source/index.html`, { bypassCSP: true })
    await guest.addScriptTag({ content: script })
    await guest.locator('.ProseMirror li').first().click()
    await guest.keyboard.press('Control+Home')
    await guest.keyboard.type('from few lines ')

    await bothContain(page, 'from few lines')
    expect((await textOf(page, 'left')).split(starterWords)).toHaveLength(2)
  })

  test('an emptied room stays empty when it is opened again', async () => {
    const page = await visitFreshRoom()
    await emptyBoth(page)
    await expect.poll(() => savingOf(page, 'left'), patience).toMatch(saved)

    await page.reload()

    await expect.poll(() => savingOf(page, 'left'), patience).toBe('In sync')
    expect((await textOf(page, 'left')).trim()).toBe('')
  })
})

function roomOf(page: Page): string {
  return new URL(page.url()).hash.slice(1)
}

function tool(page: Page, seat: Seat, label: string) {
  return pane(page, seat).getByRole('toolbar').getByRole('button', { name: label, exact: true })
}

function focusedLabel(page: Page): Promise<string | null> {
  return page.evaluate<string | null>('document.activeElement.getAttribute("aria-label")')
}

/** The content of a pane without the carets of others, which stand inside the lines. */
function contentOf(page: Page, seat: Seat, property: 'textContent' | 'innerHTML'): Promise<string> {
  return page.evaluate<string>(`(() => {
    const copy = document.querySelector('[data-pane=${seat}] .ProseMirror').cloneNode(true)
    copy.querySelectorAll('.rich-caret, .ProseMirror-separator, .ProseMirror-trailingBreak').forEach(node => node.remove())
    copy.querySelectorAll('.rich-selection').forEach(node => node.replaceWith(...node.childNodes))
    return copy.${property}
  })()`)
}

function textOf(page: Page, seat: Seat): Promise<string> {
  return contentOf(page, seat, 'textContent')
}

function htmlOf(page: Page, seat: Seat): Promise<string> {
  return contentOf(page, seat, 'innerHTML')
}

async function typeAtEnd(page: Page, seat: Seat, words: string): Promise<void> {
  await pane(page, seat).locator('.ProseMirror').focus()
  // The editor hears of a moved caret by an event of its own, and a person types after they have seen it move.
  await expect
    .poll(async () => {
      await page.keyboard.press('Control+End')
      return isCaretAtEnd(page, seat)
    }, patience)
    .toBe(true)
  await page.keyboard.type(words)
}

/** As the editor knows it, not as the browser draws it. */
function isCaretAtEnd(page: Page, seat: Seat): Promise<boolean> {
  return pane(page, seat)
    .locator('.ProseMirror')
    .evaluate(root => {
      const { doc, selection } = (root as unknown as { editor: { state: EditorState } }).editor.state
      return selection.empty && doc.textBetween(selection.to, doc.content.size) === ''
    })
}

/** Deletes everything, from the left pane, which has the focus then. */
async function emptyBoth(page: Page): Promise<void> {
  await pane(page, 'left').locator('.ProseMirror').focus()
  for (const key of ['Control+a', 'Backspace', 'Backspace']) await page.keyboard.press(key)
  for (const seat of ['left', 'right'] as const) {
    await expect.poll(async () => (await textOf(page, seat)).trim(), patience).toBe('')
    await pane(page, seat).locator('.ProseMirror > p').waitFor({ state: 'attached' })
  }
}
