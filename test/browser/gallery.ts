// What the browser tests of all pages share: a server, a browser, visitors, and how the shell around a page is used.
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest'
import { findChromium, launchChromium } from './chromium.ts'
import { type ServerProcess, startServer } from './server-process.ts'

export type Seat = 'left' | 'right'

export type Gallery = {
  /** The server's origin, without a slash at the end. */
  readonly url: string
  /** Opens an address in a browser profile of its own; console errors and foreign requests fail the test. */
  visit(url: string, options?: BrowserContextOptions): Promise<Page>
  /** Takes back what a test provoked on purpose. */
  forgive(prefix: string): void
}

export const patience = { timeout: 60_000, interval: 30 }
/** Under the 15 s after which a client announces itself anyway: the server has to bring people back. */
export const soon = { timeout: 12_000, interval: 30 }

/** Declares the tests of a page: one server and one browser for all, a clean profile for each visit. */
export function describeGallery(name: string, declare: (gallery: Gallery) => void): void {
  const executablePath = findChromium()
  describe.skipIf(executablePath === null)(name, { timeout: 180_000 }, () => {
    let server: ServerProcess
    let browser: Browser
    let contexts: BrowserContext[] = []
    let problems: string[] = []

    beforeAll(async () => {
      // A busy machine may take longer to start the child of the chaos page than a visitor would wait.
      server = await startServer({ port: 0, args: ['--limit', 'chaosStartMs=120000'] })
      browser = await launchChromium(executablePath ?? '')
    })

    afterAll(async () => {
      await browser?.close()
      await server?.stop()
    })

    beforeEach(() => {
      contexts = []
      problems = []
    })

    afterEach(async () => {
      await Promise.all(contexts.map(context => context.close()))
      expect(problems).toEqual([])
    })

    declare({
      get url() {
        return server.url
      },
      async visit(url, options = {}) {
        const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
        contexts.push(context)
        const page = await context.newPage()
        page.setDefaultTimeout(patience.timeout)
        watchForProblems(page, new URL(url).host, problem => problems.push(problem))
        await page.goto(url)
        return page
      },
      forgive(prefix) {
        problems = problems.filter(problem => !problem.startsWith(prefix))
      }
    })
  })
}

function watchForProblems(page: Page, host: string, report: (problem: string) => void): void {
  const note = (address: string) => {
    if (isForeign(address, host)) report(`request to ${address}`)
  }
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) report(message.text())
  })
  page.on('pageerror', error => report(String(error)))
  page.on('request', request => note(request.url()))
  page.on('websocket', socket => note(socket.url()))
}

function isForeign(address: string, host: string): boolean {
  const url = new URL(address)
  return !['data:', 'blob:'].includes(url.protocol) && url.host !== host
}

export function pane(page: Page, seat: Seat): Locator {
  return page.locator(`[data-pane=${seat}]`)
}

export function stateOf(page: Page, seat: Seat): Promise<string | null> {
  return pane(page, seat).locator('.connection').textContent()
}

export function savingOf(page: Page, seat: Seat): Promise<string | null> {
  return pane(page, seat).locator('.saving').textContent()
}

export function presentIn(page: Page, seat: Seat): Promise<number> {
  return pane(page, seat).locator('.presence li').count()
}

/** Waits until both panes say that they are connected. */
export async function bothOnline(page: Page): Promise<void> {
  for (const seat of ['left', 'right'] as const) {
    await expect.poll(() => stateOf(page, seat), patience).toBe('Online')
  }
}

/** Waits until the page itself finds both replicas equal. */
export async function bothEqual(page: Page): Promise<void> {
  await expect.poll(() => page.locator('.strip-verdict').textContent(), patience).toBe('both sides equal')
}

/** The way a keyboard does it: focus and space. */
export async function toggle(page: Page, seat: Seat): Promise<void> {
  await pane(page, seat).getByRole('switch').focus()
  await page.keyboard.press('Space')
}

/** Cuts a pane off and waits until it says so. */
export async function cutOff(page: Page, seat: Seat): Promise<void> {
  await toggle(page, seat)
  await expect.poll(() => stateOf(page, seat), patience).toBe('Offline')
}
