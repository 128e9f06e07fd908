// What the pages with an editor in each pane have in common: how one is opened, and what a cut-off pane must do.
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { restore } from '../../src/history/restore.ts'
import { connect, synced } from '../support/clients.ts'
import {
  bothEqual,
  cutOff,
  type Gallery,
  patience,
  presentIn,
  type Seat,
  savingOf,
  soon,
  stateOf,
  toggle
} from './gallery.ts'
import { startServer } from './server-process.ts'

/** What a pane says once the server has answered for everything. */
export const saved = /^Saved · \d+ ms$/

type EditorPage = {
  /** Of the page: `/text.html`. */
  readonly path: string
  /** Part of what a fresh room begins with. */
  readonly starterWords: string
  /** The text of a pane, without what cursors add to it. */
  textOf(page: Page, seat: Seat): Promise<string>
  typeAtEnd(page: Page, seat: Seat, words: string): Promise<void>
}

export type Editor = {
  /** Opens a fresh room and waits until both panes show the starter text. */
  visitFreshRoom(options?: BrowserContextOptions): Promise<Page>
  bothContain(page: Page, words: string): Promise<void>
}

export function editorOf(gallery: Gallery, { path, starterWords, textOf }: EditorPage): Editor {
  const bothContain = async (page: Page, words: string) => {
    await expect.poll(() => textOf(page, 'left'), patience).toContain(words)
    await expect.poll(() => textOf(page, 'right'), patience).toContain(words)
  }
  return {
    bothContain,
    async visitFreshRoom(options = {}) {
      const page = await gallery.visit(`${gallery.url}${path}`, options)
      await bothContain(page, starterWords)
      return page
    }
  }
}

/** Declares the tests of connections that end and come back. */
export function declareCuts(gallery: Gallery, editorPage: EditorPage): void {
  const { textOf, typeAtEnd, starterWords } = editorPage
  const { visitFreshRoom, bothContain } = editorOf(gallery, editorPage)

  test('a pane that was cut off shows it, and merges what both sides wrote when connected again', async () => {
    const page = await visitFreshRoom()

    await cutOff(page, 'right')
    await typeAtEnd(page, 'left', ' LEFT WROTE THIS. ')
    await typeAtEnd(page, 'right', 'abc')

    await expect.poll(() => savingOf(page, 'right'), patience).toBe('3 unsaved edits')
    await expect.poll(() => savingOf(page, 'left'), patience).toMatch(saved)
    expect(await textOf(page, 'right')).not.toContain('LEFT WROTE THIS')
    expect(await textOf(page, 'left')).not.toContain('abc')
    await expect.poll(() => page.locator('.strip-verdict').textContent(), patience).toBe('two versions')

    await toggle(page, 'right')
    await expect.poll(() => stateOf(page, 'right'), patience).toBe('Online')
    await expect.poll(() => savingOf(page, 'right'), patience).toMatch(saved)
    await bothContain(page, 'LEFT WROTE THIS.')
    await bothContain(page, 'abc')
    await bothEqual(page)
    expect(await textOf(page, 'left')).toBe(await textOf(page, 'right'))
  })

  test('people are visible again to both sides after a cut', async () => {
    const page = await visitFreshRoom()
    await expect.poll(() => presentIn(page, 'left'), soon).toBe(2)

    await toggle(page, 'right')
    await expect.poll(() => presentIn(page, 'left'), soon).toBe(1)
    await expect.poll(() => presentIn(page, 'right'), soon).toBe(1)

    await toggle(page, 'right')
    await expect.poll(() => presentIn(page, 'left'), soon).toBe(2)
    await expect.poll(() => presentIn(page, 'right'), soon).toBe(2)
  })

  test('without a server the page says so, keeps the edits and sends them when it is back', async () => {
    const first = await startServer({ port: 0 })
    const page = await gallery.visit(`${first.url}${editorPage.path}`)
    await bothContain(page, starterWords)

    await first.stop()
    await page.locator('#notice:visible').waitFor()
    await typeAtEnd(page, 'left', 'xyz')
    expect(await page.locator('#notice').textContent()).toContain('No sync server answers at')
    expect(await stateOf(page, 'left')).toBe('Offline, retrying…')
    expect(await savingOf(page, 'left')).toBe('3 unsaved edits')

    // The second server knows nothing of the room: all of it comes back from the panes.
    const second = await startServer({ port: Number(new URL(first.url).port) })
    await page.locator('#notice').waitFor({ state: 'hidden' })
    await expect.poll(() => savingOf(page, 'left'), patience).toMatch(saved)
    await bothContain(page, 'xyz')
    await page.close()
    await second.stop()
    // A browser reports each failed connection as an error; here that was the point.
    gallery.forgive('WebSocket connection to')
  })
}

/** Declares what an open editor shows while its document is brought back to what it was. */
export function declareRestores(gallery: Gallery, editorPage: EditorPage): void {
  const { textOf, typeAtEnd, starterWords } = editorPage
  const { visitFreshRoom, bothContain } = editorOf(gallery, editorPage)

  test('open editors show what a restore brings back, once, and go on being typed in', async () => {
    const page = await visitFreshRoom()
    const client = connect(gallery.url, new URL(page.url()).hash.slice(1))
    onTestFinished(() => client.destroy())
    await synced(client)
    await expect.poll(() => textIn(client.doc), patience).toContain(starterWords)
    const past = Y.encodeStateAsUpdate(client.doc)
    const was = [await textOf(page, 'left'), await textOf(page, 'right')]

    await typeAtEnd(page, 'left', 'to be taken back')
    await bothContain(page, 'to be taken back')
    for (const key of ['Control+a', 'Delete']) await page.keyboard.press(key)
    for (const seat of ['left', 'right'] as const)
      await expect.poll(() => textOf(page, seat), patience).not.toContain(starterWords)
    await expect.poll(() => textIn(client.doc), patience).not.toContain(starterWords)
    const now = Y.encodeStateAsUpdate(client.doc)
    const id = new Y.Doc().clientID
    const { update } = restore({ past, now, copies: [], client: id, roots: null })
    Y.applyUpdate(client.doc, update ?? new Uint8Array([0, 0]))

    for (const [i, seat] of (['left', 'right'] as const).entries())
      await expect.poll(() => textOf(page, seat), patience).toBe(was[i])
    await typeAtEnd(page, 'right', 'And more')
    await expect
      .poll(async () => [await textOf(page, 'left'), await textOf(page, 'right')], patience)
      .toEqual(was.map(words => `${words}And more`))
    await bothEqual(page)
    expect((await textOf(page, 'left')).split(starterWords)).toHaveLength(2)
    // What the editors did on their own, as correcting what they do not like, would be another change.
    expect(await textOf(page, 'left')).toBe(await textOf(page, 'right'))
  })
}

function textIn(doc: Y.Doc): string {
  return [...doc.share.keys()].map(name => JSON.stringify(doc.getText(name).toDelta())).join()
}
