// What holds for every page of the gallery: it is light, it can be used by everybody, it fits every screen, and it
// says nothing untrue. That it is quick: quick.test.ts.
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { pages } from '../../demo/pages.js'
import { bundle } from './bundle.ts'
import { bothOnline, cutOff, describeGallery, pane, patience } from './gallery.ts'

const dist = fileURLToPath(new URL('../../demo/dist/', import.meta.url))
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const names = pages.map(({ id }) => id)
const rooms = names.filter(id => id !== 'index')

const firstLoadBytesMax = 300_000
const sizes = { desktop: { width: 1280, height: 900 }, phone: { width: 375, height: 812 } }

describe('a built page', () => {
  test.each(names)('%s loads less than 300 KB, compressed', async name => {
    const files = await firstLoad(`${name}.html`)

    const bytes = files.reduce((sum, { zipped }) => sum + zipped, 0)

    console.info(`first load of ${name}: ${Math.round(bytes / 1000)} KB in ${files.length} files`)
    expect(bytes).toBeLessThan(firstLoadBytesMax)
  })
})

describeGallery('every page', gallery => {
  test.each(names)('%s passes axe, in the light and in the dark', async name => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await gallery.visit(`${gallery.url}/${name}.html`, { colorScheme })
      await prepare(page, name)

      expect(await accessibilityFindings(page)).toEqual([])
    }
  })

  test.each(rooms)('%s passes axe on a phone and with one side offline', async name => {
    const page = await gallery.visit(`${gallery.url}/${name}.html`, { viewport: sizes.phone })
    await prepare(page, name)
    await cutOff(page, 'left')

    expect(await accessibilityFindings(page)).toEqual([])
  })

  test.each(names)('%s fits a phone and a desk', async name => {
    const folder = await mkdtemp(join(tmpdir(), 'chorus-demo-'))
    for (const [size, viewport] of Object.entries(sizes)) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await gallery.visit(`${gallery.url}/${name}.html`, { viewport, colorScheme })
        await prepare(page, name)

        await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage: true })

        const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
        expect(await page.evaluate(overflow)).toBe(0)
      }
    }
    console.info(`screenshots: ${folder}`)
  })

  test.each(rooms)('%s shows one pane at a time on a phone, and a switch between them', async name => {
    const page = await gallery.visit(`${gallery.url}/${name}.html`, { viewport: sizes.phone })
    await bothOnline(page)
    expect(await pane(page, 'right').isVisible()).toBe(false)

    await page.locator('.seat-switch button').nth(1).click()

    expect(await pane(page, 'right').isVisible()).toBe(true)
    expect(await pane(page, 'left').isVisible()).toBe(false)
  })

  test.each(rooms)(
    'the second device dialog of %s shows a code and says what a local address needs',
    async name => {
      const page = await gallery.visit(`${gallery.url}/${name}.html`)
      await bothOnline(page)

      await page.locator('#open-qr').click()

      await page.getByRole('img', { name: 'QR code of the link to this room' }).waitFor()
      expect(await page.locator('#qr-link').textContent()).toBe(page.url())
      expect(await page.locator('#qr-loopback').isVisible()).toBe(true)
      await page.keyboard.press('Escape')
      expect(await page.locator('#qr-dialog').isVisible()).toBe(false)
    }
  )

  test.each(names)('%s leads to its own source', async name => {
    const page = await gallery.visit(`${gallery.url}/${name}.html`)

    await page.getByRole('link', { name: /^Source/ }).click()

    await expect
      .poll(() => page.locator('pre').textContent(), patience)
      .toMatch(/openPage\(|function showPage/)
  })

  test('no link of the gallery leads nowhere, and all pages stay in the room', async () => {
    const page = await gallery.visit(`${gallery.url}/#demo-links`)
    const links = await page.evaluate<string[]>('[...document.querySelectorAll("a")].map(link => link.href)')

    for (const link of links) expect((await page.request.get(link)).status()).toBe(200)
    await page.locator('.cards').getByRole('link', { name: 'Board' }).click()
    await expect.poll(() => page.locator('#room-name').textContent(), patience).toBe('demo-links')
    await page.locator('.site-nav').getByRole('link', { name: /^Text/ }).click()
    await expect.poll(() => page.url(), patience).toBe(`${gallery.url}/text.html#demo-links`)
  })

  test('the lines on the start page bind an editor to the room they name', async () => {
    const start = await gallery.visit(`${gallery.url}/`)
    const code = await start.locator('#snippet-code').textContent()
    await start.locator('.cards').getByRole('link', { name: /^Text/ }).click()
    await bothOnline(start)
    const script = await bundle(code ?? '')

    const guest = await gallery.visit(`${gallery.url}/source/index.html`, { bypassCSP: true })
    await guest.addScriptTag({ content: script })
    await guest.locator('.cm-content').click()
    await guest.keyboard.press('Control+End')
    await guest.keyboard.type('from ten lines')

    await expect
      .poll(() => pane(start, 'right').locator('.cm-content').textContent(), patience)
      .toContain('from ten lines')
    await expect
      .poll(() => pane(start, 'left').locator('.cm-ySelectionInfo').allTextContents(), patience)
      .toEqual(['Ada'])
  })
})

/** Brings a page to where a visitor has done something in it. */
async function prepare(page: Page, name: string): Promise<void> {
  if (name === 'index') return
  await bothOnline(page)
  if (name === 'board') {
    await pane(page, 'left').locator('.card-face').first().waitFor()
    if (await pane(page, 'right').isVisible()) {
      await pane(page, 'right').locator('.card-face').first().click()
      await pane(page, 'right').locator('.card-panel .cm-content').waitFor()
    }
  }
  if (name === 'history') {
    // The bots have written a past, and it is compared with now.
    await expect
      .poll(() => page.locator('.past-report').textContent(), patience)
      .toContain('The bots are done')
    await page.locator('.past-version-name').first().click()
    await page.locator('#past-compare').selectOption('now')
    await page.locator('ins.past-passage').first().waitFor()
    await page.locator('ins.past-passage').first().hover()
  }
  if (name === 'chat') {
    await pane(page, 'left').locator('.chat-field').fill('Hello there.')
    await page.keyboard.press('Enter')
    await pane(page, 'left').locator('.chat-bubble').waitFor()
  }
}

/** axe throws when something goes that it has found, such as the name beside a cursor, which fades: it looks again. */
async function accessibilityFindings(page: Page, again = 3): Promise<string[]> {
  await page.evaluate(axeSource)
  const looking = page.evaluate<
    string[]
  >(`axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => id + ': ' + target.join(' ') + ' ' + failureSummary)))`)
  return looking.catch((error: unknown) => {
    if (again > 0 && String(error).includes("reading 'nthChild'"))
      return accessibilityFindings(page, again - 1)
    throw error
  })
}

/** The page and all it fetches before anybody does anything: scripts with what they import, and styles. */
async function firstLoad(file: string): Promise<{ file: string; zipped: number }[]> {
  const seen = new Map<string, number>()
  const load = async (path: string): Promise<void> => {
    if (seen.has(path)) return
    const body = await readFile(join(dist, path))
    seen.set(path, gzipSync(body).length)
    if (!/\.(html|js)$/.test(path)) return
    for (const reference of references(path, body.toString())) await load(reference)
  }
  await load(file)
  return [...seen].map(([path, zipped]) => ({ file: path, zipped }))
}

function references(path: string, text: string): string[] {
  const found = path.endsWith('.html')
    ? text.matchAll(/<(?:script|link)[^>]+(?:src|href)="\.\/([^"]+)"/g)
    : text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : ''
  return [...found].map(([, reference]) => `${folder}${reference}`)
}
