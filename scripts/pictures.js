/**
 * The pictures of README.md, taken from the running demo: starts the built server, lets two people write and move
 * cards on its pages, and writes docs/pictures/{text,board}-{light,dark}.webp.
 *
 *   node scripts/pictures.js
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'
import { findChromium } from './chromium.js'
import { root, runScript, SetupError, say } from './run.js'

const folder = join(root, 'docs/pictures')
const viewport = { width: 1280, height: 920 }
/** Sharp on dense screens; what README shows is half of it. */
const pixelsPerPoint = 1.5
const quality = 82
const pictureBytesMax = 100_000

const people = {
  left: { name: 'Ada', color: '#7950f2' },
  right: { name: 'Grace', color: '#d6336c' }
}

const notes = `Launch day, 14 May

09:00  Freeze the release branch
09:30  Migrate the first ten rooms and compare
11:00  Switch the editors over, one team at a time

If anything looks wrong, switch back: nobody loses a word.
Grace watches the latency for the whole morning.
Ada answers the support channel.`

const lists = [
  {
    title: 'To do',
    cards: ['Write the announcement|Docs', 'Ask the beta group|Question', 'Thank the testers']
  },
  { title: 'Doing', cards: ['Cursors jump on Safari|Bug', 'Dark theme for tables|Design'] },
  { title: 'Done', cards: ['Move the first ten rooms|Urgent', 'Load test with 500 people'] }
]

const scenes = { text: textScene, board: boardScene }

async function main() {
  const executablePath = findChromium()
  if (executablePath === null) throw new SetupError('no Chromium found: install one, or set CHROMIUM_PATH')
  mkdirSync(folder, { recursive: true })
  const server = await startServer()
  const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox'] })
  try {
    // A server that has just started answers its first visitors more slowly than any later ones.
    await (await visit(browser, { url: `${server.url}/text.html`, colorScheme: 'light' })).context().close()
    for (const [name, scene] of Object.entries(scenes)) {
      for (const colorScheme of ['light', 'dark']) {
        const page = await visit(browser, {
          url: `${server.url}/${name}.html#${name}-${colorScheme}`,
          colorScheme
        })
        await scene(page)
        await take(page, `${name}-${colorScheme}.webp`)
        await page.context().close()
      }
    }
  } finally {
    await browser.close()
    server.child.kill('SIGTERM')
    await once(server.child, 'exit')
  }
}

async function startServer() {
  const command = ['dist/src/command/cli.js', '--port', '0', '--data', ':memory:']
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /listening on (http:\/\/[^\s"/]+)/.exec(line)?.[1]
    if (url !== undefined) return { child, url }
  }
  throw new SetupError('the server ended before it listened; `npm run build` first')
}

/** Opens a page as two people whose names a browser already knows, and waits until both are in the room. */
async function visit(browser, { url, colorScheme }) {
  const options = { viewport, colorScheme, deviceScaleFactor: pixelsPerPoint, reducedMotion: 'reduce' }
  const context = await browser.newContext(options)
  await context.addInitScript(known => {
    for (const [seat, person] of Object.entries(known)) {
      localStorage.setItem(`chorus.person.${seat}`, JSON.stringify(person))
    }
  }, people)
  const page = await context.newPage()
  await page.goto(url)
  for (const seat of Object.keys(people)) {
    await page.locator(`[data-pane=${seat}][data-connection=online]`).waitFor()
  }
  return page
}

/** Ada writes the notes and marks a line; Grace writes in the middle of it. */
async function textScene(page) {
  const [left, right] = ['left', 'right'].map(seat => page.locator(`[data-pane=${seat}] .cm-content`))
  await left.click()
  await page.keyboard.insertText(notes)
  await right.getByText('support channel').waitFor()
  await left.getByText('09:30').click()
  await page.keyboard.press('End')
  await page.keyboard.press('Shift+Home')
  await right.getByText('support channel').click()
  await page.keyboard.press('Home')
  for (const _letter of 'Ada answers') await page.keyboard.press('ArrowRight')
  await left.locator('.cm-ySelectionInfo', { hasText: people.right.name }).waitFor()
  await right.locator('.cm-ySelectionInfo', { hasText: people.left.name }).waitFor()
}

/** Ada carries a card with the mouse while Grace has lifted another one with the keyboard. */
async function boardScene(page) {
  const left = page.locator('[data-pane=left]')
  const right = page.locator('[data-pane=right]')
  for (const { title, cards } of lists) {
    await enter(left.getByLabel('Add a list'), title)
    for (const card of cards) await addCard(left, { list: title, card })
  }
  const face = (pane, title) => pane.locator('.card-face', { hasText: title })
  await face(right, 'Load test with 500 people').waitFor()
  await drag(page, face(left, 'Cursors jump on Safari'), face(left, 'Load test with 500 people'))
  // A keyboard of its own: the browser's is silent while the mouse drags.
  for (const key of [' ', 'ArrowRight']) {
    await face(right, 'Ask the beta group').dispatchEvent('keydown', { key, bubbles: true })
  }
  await right.locator('.card-holder', { hasText: people.left.name }).waitFor()
  await left.locator('.card-holder', { hasText: people.right.name }).waitFor()
}

/** A card is `title|label`. */
async function addCard(pane, { list, card }) {
  const [title, label] = card.split('|')
  await enter(pane.getByLabel(`Add a card to ${list}`), title)
  if (label === undefined) return
  await pane.locator('.card-face', { hasText: title }).click()
  const panel = pane.locator('.card-panel')
  await panel.getByRole('button', { name: label }).click()
  await panel.getByRole('button', { name: 'Close the card' }).click()
}

async function enter(field, words) {
  await field.fill(words)
  await field.press('Enter')
}

/** Takes hold of a card and keeps it over the upper part of another one. */
async function drag(page, from, to) {
  const [start, end] = [await from.boundingBox(), await to.boundingBox()]
  await page.mouse.move(start.x + 40, start.y + 14)
  await page.mouse.down()
  await page.mouse.move(start.x + 48, start.y + 24, { steps: 3 })
  await page.mouse.move(end.x + 40, end.y + 6, { steps: 8 })
  // The browser tells of a drag while the mouse moves, the page draws a frame later.
  await page.mouse.move(end.x + 41, end.y + 7)
  await to.locator('xpath=ancestor::li[@data-drop="above"]').waitFor()
}

/** The strip and the two panes below it; WebP, which the browser writes and every reader of README shows. */
async function take(page, file) {
  const [strip, panes] = [
    await page.locator('#strip').boundingBox(),
    await page.locator('#panes').boundingBox()
  ]
  const margin = 16
  const top = Math.round(strip.y - margin / 2)
  const clip = {
    x: 0,
    y: top,
    width: viewport.width,
    height: Math.round(panes.y + panes.height + margin - top)
  }
  const devtools = await page.context().newCDPSession(page)
  const options = { format: 'webp', quality, clip: { ...clip, scale: 1 }, captureBeyondViewport: true }
  const { data } = await devtools.send('Page.captureScreenshot', options)
  const bytes = Buffer.from(data, 'base64')
  if (bytes.length > pictureBytesMax)
    throw new SetupError(`${file} has ${bytes.length} bytes, too many for README`)
  writeFileSync(join(folder, file), bytes)
  say(`docs/pictures/${file}: ${Math.round(bytes.length / 1000)} KB`)
}

await runScript(main)
