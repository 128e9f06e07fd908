// The chaos page in a real browser: real kills of a real process, real bots, and two bugs planted on purpose, because a
// verdict that cannot turn red is worth nothing.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Locator, Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { describeGallery, pane, patience } from './gallery.ts'
import { startServer } from './server-process.ts'

const kills = 5
/** A comparison waits for slow lines and broken connections. */
const long = { timeout: 90_000, interval: 100 }
const forgetfulChild = fileURLToPath(new URL('plants/forgetful-child.mjs', import.meta.url))
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * A browser whose WebSockets drop a message when told to, and say nothing: an update of the y-websocket protocol, on a
 * connection that has been open for a while, so that it is not the fresh replica's own.
 */
const swallowingSockets = `
  window.swallow = 0
  window.WebSocket = class extends WebSocket {
    received = 0
    set onmessage(listener) {
      super.onmessage = event => {
        this.received += 1
        const [type, step] = new Uint8Array(event.data)
        if (window.swallow > 0 && this.received > 20 && type === 0 && step === 2) window.swallow -= 1
        else listener(event)
      }
    }
  }`

describeGallery('the chaos page', gallery => {
  const visit = (options = {}) => gallery.visit(`${gallery.url}/chaos.html`, options)

  test(`${kills} kills while bots type over bad lines lose nothing, and every edit is counted`, async () => {
    const page = await visit()
    await turn(page, 'latencyMs', 120)
    await turn(page, 'jitterMs', 200)
    await turn(page, 'lossShare', 0.4)
    await verdictIs(page, 'equal')
    const pids = new Set([await figure(page, 'pid')])
    let checked = await figure(page, 'checked')
    expect(checked).toBeGreaterThan(5)

    for (let kill = 1; kill <= kills; kill++) {
      await verdictIs(page, 'writing')
      await page.locator('.kill').click()
      await expect
        .poll(async () => `${await figure(page, 'kills')} ${await verdict(page)}`, long)
        .toBe(`${kill} kept`)
      expect(await figure(page, 'checked')).toBeGreaterThanOrEqual(checked)
      checked = await figure(page, 'checked')
      pids.add(await figure(page, 'pid'))
    }
    await verdictIs(page, 'equal')

    expect(pids.size).toBe(kills + 1)
    const final = await figure(page, 'checked')
    expect(final).toBeGreaterThan(checked)
    expect(await page.locator('.verdict-detail').textContent()).toContain(
      `with ${final.toLocaleString('en-US')} edits in it`
    )
    console.info(`${kills} kills: ${final} edits checked, server back after ${await figure(page, 'down')} ms`)
  }, 180_000)

  test('what a person types is an edit like the others: seen by the other pane, checked, there after a kill', async () => {
    const page = await visit()
    await verdictIs(page, 'equal')
    await page.getByRole('button', { name: 'Pause the bots' }).click()
    await verdictIs(page, 'equal')
    const before = await figure(page, 'checked')

    await pane(page, 'left').locator('.cm-content').click()
    await page.keyboard.type('typed by hand')

    await expect.poll(() => textOf(page, 'right'), patience).toContain('typed by hand')
    await expect.poll(() => figure(page, 'checked'), long).toBe(before + 'typed by hand'.length)
    await page.locator('.kill').click()
    await expect.poll(() => figure(page, 'kills'), long).toBe(1)
    expect(await textOf(page, 'right')).toContain('typed by hand')
  })

  test('a pane that was cut off is left out by name, and counted again when it is back', async () => {
    const page = await visit()
    await verdictIs(page, 'equal')
    const left = pane(page, 'left').getByRole('switch')

    await left.focus()
    await page.keyboard.press('Space')
    await expect.poll(() => detail(page), long).toContain('1 pane that you cut off is left out')
    await page.keyboard.press('Space')

    await expect.poll(() => detail(page), long).toMatch(/^9 replicas.*in it\.$/)
  })

  test('a server that forgets what it promised is found out: lost, in red, with examples', async () => {
    const server = await startServer({ port: 0, env: { NODE_OPTIONS: `--import=${forgetfulChild}` } })
    onTestFinished(() => void server.stop())
    const page = await gallery.visit(`${server.url}/chaos.html`)
    await verdictIs(page, 'equal')

    await page.locator('.kill').click()

    await verdictIs(page, 'lost')
    expect(await page.locator('.verdict').getAttribute('data-tone')).toBe('bad')
    expect(await page.locator('.verdict-headline').textContent()).toMatch(/^Lost \d+ edits$/)
    expect(await detail(page)).toMatch(
      /[A-Z][a-z]+-\d+ \((others had seen it|[A-Z][a-z]+ had been told “saved”)\)/
    )
    expect(await figure(page, 'kills')).toBe(0)
    expect(await accessibilityFindings(page)).toEqual([])
  })

  test('one message that vanishes without a trace is found out: the replicas differ', async () => {
    const page = await gallery.visit(`${gallery.url}/source/index.html`)
    await page.addInitScript(swallowingSockets)
    await page.goto(`${gallery.url}/chaos.html`)
    await turn(page, 'lossShare', 0)
    await verdictIs(page, 'equal')
    await verdictIs(page, 'writing')
    await page.evaluate('window.swallow = 1')
    await expect.poll(() => page.evaluate('window.swallow'), long).toBe(0)

    await expect.poll(() => verdict(page), long).toMatch(/^(stuck|differ)$/)

    expect(await page.locator('.verdict').getAttribute('data-tone')).toBe('bad')
    expect(await detail(page)).toMatch(/[A-Z][a-z]+\.$/)
  })

  test('all of it works by keyboard, and passes axe while it happens', async () => {
    const page = await visit({ colorScheme: 'dark' })
    await page.locator('#dial-bots').focus()
    for (let step = 0; step < 3; step++) await page.keyboard.press('ArrowLeft')
    await expect.poll(() => page.locator('.bot').count(), patience).toBe(3)
    expect(await page.locator('#dial-bots').getAttribute('aria-valuetext')).toBe('3')
    await verdictIs(page, 'equal')

    await page.locator('.kill').focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.locator('.kill').getAttribute('aria-disabled'), patience).toBe('true')
    expect(await accessibilityFindings(page)).toEqual([])

    await verdictIs(page, 'kept')
    expect(await page.locator('.verdict [role=status]').textContent()).toContain('nothing lost')
    expect(await page.evaluate('document.activeElement.textContent')).toContain('Kill the server')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await expect.poll(() => figure(page, 'kills'), long).toBe(2)
  })

  test('who asked for stillness sees it: the bots begin when told to', async () => {
    const page = await visit({ reducedMotion: 'reduce' })
    await verdictIs(page, 'equal')
    expect(await figure(page, 'checked')).toBe(0)

    await page.getByRole('button', { name: 'Let them write' }).click()

    await expect.poll(() => figure(page, 'checked'), long).toBeGreaterThan(0)
  })

  test('starting over is a new document', async () => {
    const page = await visit()
    await verdictIs(page, 'equal')
    const room = await page.locator('#room-name').textContent()

    await page.getByRole('button', { name: 'Start over' }).click()

    await expect.poll(() => page.locator('#room-name').textContent(), patience).not.toBe(room)
    await verdictIs(page, 'equal')
  })

  test('where it is not allowed, the page says how to switch it on, and nothing is started', async () => {
    const server = await startServer({ port: 0, args: ['--chaos', 'off'] })
    onTestFinished(() => void server.stop())
    const page = await gallery.visit(`${server.url}/chaos.html`)

    await expect.poll(() => page.locator('.refusal').textContent(), patience).toContain('--chaos on')

    expect(await page.locator('.pane').count()).toBe(0)
    expect(await accessibilityFindings(page)).toEqual([])
  })
})

function verdict(page: Page): Promise<string | null> {
  return page.locator('.verdict').getAttribute('data-verdict')
}

async function verdictIs(page: Page, kind: string): Promise<void> {
  await expect.poll(() => verdict(page), long).toBe(kind)
}

function detail(page: Page): Promise<string | null> {
  return page.locator('.verdict-detail').textContent()
}

async function figure(page: Page, name: string): Promise<number> {
  const text = await page.locator(`[data-figure=${name}]`).textContent()
  return Number.parseInt((text ?? '').replaceAll(',', ''), 10)
}

function textOf(page: Page, seat: 'left' | 'right'): Promise<string | null> {
  return pane(page, seat).locator('.cm-content').textContent()
}

async function turn(page: Page, setting: string, value: number): Promise<void> {
  const dial: Locator = page.locator(`#dial-${setting}`)
  await dial.fill(String(value))
}

async function accessibilityFindings(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  return page.evaluate<string[]>(`axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => id + ': ' + target.join(' ') + ' ' + failureSummary)))`)
}
