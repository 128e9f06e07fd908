// The board page in a real browser: cards moved by mouse and keyboard, by two people at once, offline and back.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import {
  bothEqual,
  bothOnline,
  cutOff,
  describeGallery,
  pane,
  patience,
  presentIn,
  type Seat,
  savingOf,
  soon,
  toggle
} from './gallery.ts'

type Lists = Record<string, string[]>

const first = 'Drag me to another list'
const keyboardCard = 'Move me by keyboard: Space, arrows, Space'

describeGallery('the board page', gallery => {
  async function visitFreshBoard(): Promise<Page> {
    const page = await gallery.visit(`${gallery.url}/board.html`)
    for (const seat of ['left', 'right'] as const) {
      await expect.poll(() => titlesIn(page, seat), patience).toHaveProperty('Done', ['Start the server'])
    }
    await bothOnline(page)
    return page
  }

  test('a card dragged by the mouse goes where it is dropped, on both sides', async () => {
    const page = await visitFreshBoard()

    await drag(page, { seat: 'left', card: first, above: 'Start the server' })

    await everywhere(page, { Done: [first, 'Start the server'] })
    await drag(page, { seat: 'right', card: first, intoList: 'Doing' })
    await everywhere(page, { Doing: [keyboardCard, 'Undo: only your own moves go back', first] })
    await everywhere(page, { Done: ['Start the server'] })
  })

  test('a card is dragged within its list', async () => {
    const page = await visitFreshBoard()

    await drag(page, { seat: 'left', card: 'Open this board on a phone', above: first })

    await expect
      .poll(async () => (await titlesIn(page, 'right'))['To do']?.[0], patience)
      .toBe('Open this board on a phone')
    await bothEqual(page)
  })

  test('a card of one pane cannot be dropped into the other', async () => {
    const page = await visitFreshBoard()
    const before = await titlesIn(page, 'left')

    await dragBetween(page, cardFace(page, 'left', first), cardFace(page, 'right', 'Start the server'))

    expect(await titlesIn(page, 'left')).toEqual(before)
    await everywhere(page, before)
  })

  test('the keyboard lifts a card, carries it and puts it down; Escape leaves it where it was', async () => {
    const page = await visitFreshBoard()
    await cardFace(page, 'left', keyboardCard).focus()

    for (const key of ['Space', 'ArrowRight', 'ArrowDown', 'Space']) await page.keyboard.press(key)

    await everywhere(page, { Done: ['Start the server', keyboardCard] })
    expect(await focusedTitle(page)).toContain(keyboardCard)
    for (const key of ['Space', 'ArrowLeft', 'ArrowLeft', 'Escape']) await page.keyboard.press(key)
    expect(await focusedTitle(page)).toContain(keyboardCard)
    await everywhere(page, { Done: ['Start the server', keyboardCard] })
    expect(await pane(page, 'left').locator('.board [aria-live]').textContent()).toContain(
      'Back where it was'
    )
  })

  test('the arrows walk over the cards, and Tab leaves the board with one step', async () => {
    const page = await visitFreshBoard()
    await cardFace(page, 'left', first).focus()

    for (const key of ['ArrowDown', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key)

    expect(await focusedTitle(page)).toContain('Start the server')
    expect(await pane(page, 'left').locator('.card-face[tabindex="0"]').count()).toBe(1)
  })

  test('who holds a card is seen by the others while they hold it', async () => {
    const page = await visitFreshBoard()
    const name = await pane(page, 'left').locator('.person-name').inputValue()
    await cardFace(page, 'left', first).focus()

    await page.keyboard.press('Space')
    const holder = cardOf(page, 'right', first).locator('.card-holder')
    await expect.poll(() => holder.textContent(), patience).toContain(`${name} moves this`)
    await page.keyboard.press('Escape')
    await expect.poll(() => holder.count(), soon).toBe(0)

    await page.keyboard.press('Enter')
    await expect.poll(() => holder.textContent(), patience).toContain(`${name} has this open`)
    await page.keyboard.press('Escape')
    await expect.poll(() => holder.count(), soon).toBe(0)
  })

  test('a card that two people drag at the same time ends up once, in the same place for both', async () => {
    const mine = await visitFreshBoard()
    const yours = await gallery.visit(mine.url())
    await expect.poll(() => allTitles(yours, 'left'), patience).toHaveLength(6)
    const all = (await allTitles(mine, 'left')).sort()
    await holdMouseOver(mine, cardFace(mine, 'left', first), cardFace(mine, 'left', 'Start the server'))
    await holdMouseOver(yours, cardFace(yours, 'left', first), cardFace(yours, 'left', keyboardCard))
    // Two others have it in hand: each of the four panes sees who of the others does.
    await expect.poll(() => cardOf(mine, 'left', first).locator('.card-holder').count(), patience).toBe(1)
    await expect.poll(() => cardOf(yours, 'left', first).locator('.card-holder').count(), patience).toBe(1)

    await Promise.all([mine.mouse.up(), yours.mouse.up()])

    for (const page of [mine, yours]) {
      await expect.poll(() => page.locator('.card-holder').count(), patience).toBe(0)
      await bothEqual(page)
      expect((await allTitles(page, 'right')).sort()).toEqual(all)
      expect((await titlesIn(page, 'right'))['To do']).not.toContain(first)
    }
    await expect.poll(() => titlesIn(mine, 'right'), patience).toEqual(await titlesIn(yours, 'right'))
  })

  test('a card moved on both sides while one was offline is in one place afterwards', async () => {
    const page = await visitFreshBoard()
    await cutOff(page, 'right')
    await drag(page, { seat: 'left', card: first, above: 'Start the server' })
    await drag(page, { seat: 'right', card: first, intoList: 'Doing' })
    await addCard(page, { seat: 'left', list: 'Done', title: 'From the left' })
    await addCard(page, { seat: 'right', list: 'Done', title: 'From the right' })
    expect(await allTitles(page, 'right')).not.toContain('From the left')

    await toggle(page, 'right')

    await bothEqual(page)
    for (const seat of ['left', 'right'] as const) {
      await expect
        .poll(() => allTitles(page, seat), patience)
        .toEqual(expect.arrayContaining(['From the left', 'From the right']))
      expect((await allTitles(page, seat)).filter(title => title === first)).toHaveLength(1)
    }
    expect(await titlesIn(page, 'left')).toEqual(await titlesIn(page, 'right'))
    await expect.poll(() => savingOf(page, 'right'), patience).toMatch(/^Saved/)
  })

  test('undo takes back one’s own moves only', async () => {
    const page = await visitFreshBoard()
    await drag(page, { seat: 'left', card: first, above: 'Start the server' })
    await everywhere(page, { Done: [first, 'Start the server'] })
    await addCard(page, { seat: 'right', list: 'Done', title: 'Not to be undone' })
    await everywhere(page, { Done: [first, 'Start the server', 'Not to be undone'] })

    await pane(page, 'left').getByRole('button', { name: 'Undo my last change' }).click()

    await everywhere(page, { Done: ['Start the server', 'Not to be undone'] })
    expect((await titlesIn(page, 'right'))['To do']?.[0]).toBe(first)
    await expect.poll(() => undoButton(page, 'left').isDisabled(), patience).toBe(true)
    await cardFace(page, 'left', first).focus()
    await page.keyboard.press('Control+Shift+Z')
    await everywhere(page, { Done: [first, 'Start the server', 'Not to be undone'] })
  })

  test('a deleted card comes back with everything in it when that is undone', async () => {
    const page = await visitFreshBoard()
    await cardFace(page, 'left', first).click()
    await pane(page, 'left').getByRole('button', { name: 'Delete card' }).click()
    await expect.poll(() => allTitles(page, 'right'), patience).not.toContain(first)

    await undoButton(page, 'left').click()

    await expect.poll(() => allTitles(page, 'right'), patience).toContain(first)
    await cardFace(page, 'right', first).click()
    const details = pane(page, 'right').locator('.card-panel .cm-content')
    await expect
      .poll(() => details.textContent(), patience)
      .toBe('Both sides can write here at the same time.')
  })

  test('two people write the details of a card together, and see each other’s cursor there', async () => {
    const page = await visitFreshBoard()
    const name = await pane(page, 'left').locator('.person-name').inputValue()
    for (const seat of ['left', 'right'] as const) await cardFace(page, seat, first).click()
    const editor = (seat: Seat) => pane(page, seat).locator('.card-panel .cm-content')

    for (const seat of ['left', 'right'] as const) {
      await editor(seat).click()
      await page.keyboard.press('Control+End')
      await page.keyboard.type(` ${seat} was here.`)
      // Who types on before these words have come writes in the midst of them, as two people would.
      for (const other of ['left', 'right'] as const)
        await expect.poll(() => editor(other).textContent(), patience).toContain(`${seat} was here.`)
    }

    for (const seat of ['left', 'right'] as const)
      expect(await editor(seat).textContent()).toContain('left was here. right was here.')
    await expect.poll(() => editor('right').locator('.cm-ySelectionInfo').textContent(), patience).toBe(name)
    await bothEqual(page)
  })

  test('labels and titles are shared, and a filter hides the rest on one’s own side', async () => {
    const page = await visitFreshBoard()
    await cardFace(page, 'left', first).click()
    const panel = pane(page, 'left').locator('.card-panel')
    await panel.getByRole('button', { name: 'Bug' }).click()
    await panel.getByLabel('Title of the card').fill('Renamed')
    await panel.getByRole('button', { name: 'Close the card' }).click()
    await expect
      .poll(() => cardOf(page, 'right', 'Renamed').locator('.label-chip').allTextContents(), patience)
      .toEqual(['Bug'])

    await pane(page, 'right').getByLabel('Filter by label').selectOption('Bug')
    await expect.poll(() => allTitles(page, 'right'), patience).toEqual(['Renamed'])
    await pane(page, 'right').getByLabel('Filter by label').selectOption('Any label')
    await pane(page, 'right').getByLabel('Filter cards').fill('KEYBOARD')
    await expect.poll(() => allTitles(page, 'right'), patience).toEqual([keyboardCard])
    expect(await allTitles(page, 'left')).toHaveLength(6)
  })

  test('lists are added, renamed, and removed when they are empty', async () => {
    const page = await visitFreshBoard()
    await pane(page, 'left').getByLabel('Add a list').fill('Later')
    await page.keyboard.press('Enter')
    await everywhere(page, { Later: [] })

    await pane(page, 'right').getByLabel('Title of the list Later').fill('Never')
    await page.keyboard.press('Enter')
    await everywhere(page, { Never: [] })
    await pane(page, 'left').getByRole('button', { name: 'Remove the empty list Never' }).click()

    await expect
      .poll(async () => Object.keys(await titlesIn(page, 'right')), patience)
      .toEqual(['To do', 'Doing', 'Done'])
  })

  test('a card moved into a list that is removed at the same time is still there', async () => {
    const page = await visitFreshBoard()
    await pane(page, 'left').getByLabel('Add a list').fill('Later')
    await page.keyboard.press('Enter')
    await everywhere(page, { Later: [] })
    await cutOff(page, 'right')
    await pane(page, 'left').getByRole('button', { name: 'Remove the empty list Later' }).click()
    await moveByPanel(page, { seat: 'right', card: first, list: 'Later' })

    await toggle(page, 'right')

    await everywhere(page, { 'List was removed': [first] })
    await moveByPanel(page, { seat: 'left', card: first, list: 'Done' })
    await everywhere(page, { Done: ['Start the server', first] })
  })

  test('on a phone the board begins with its first list', async () => {
    const page = await gallery.visit(`${gallery.url}/board.html`, { viewport: { width: 390, height: 844 } })

    await cardFace(page, 'left', first).waitFor()

    const left = await pane(page, 'left')
      .locator('.board-lists')
      .evaluate(lists => lists.scrollLeft)
    expect(left).toBe(0)
    const field = await pane(page, 'left').locator('.board-list').first().boundingBox()
    expect(field?.x).toBeGreaterThan(0)
  })

  test('two visitors who open an empty room at the same time find one board, not two', async () => {
    const address = `${gallery.url}/board.html#demo-together-${Date.now()}`

    const pages = await Promise.all([gallery.visit(address), gallery.visit(address)])

    for (const page of pages) {
      await expect.poll(() => presentIn(page, 'left'), patience).toBe(4)
      await bothEqual(page)
      expect(await allTitles(page, 'right')).toHaveLength(6)
      expect(Object.keys(await titlesIn(page, 'right'))).toEqual(['To do', 'Doing', 'Done'])
    }
    await pages[1]?.context().close()
    await expect.poll(() => presentIn(pages[0] as Page, 'right'), soon).toBe(2)
  })
})

function cardOf(page: Page, seat: Seat, title: string) {
  return pane(page, seat).locator('.board-card', { hasText: title })
}

function cardFace(page: Page, seat: Seat, title: string) {
  return cardOf(page, seat, title).locator('.card-face')
}

function undoButton(page: Page, seat: Seat) {
  return pane(page, seat).getByRole('button', { name: 'Undo my last change' })
}

function focusedTitle(page: Page): Promise<string | null> {
  return page.evaluate<string | null>('document.activeElement.textContent')
}

function titlesIn(page: Page, seat: Seat): Promise<Lists> {
  return page.evaluate<Lists>(`Object.fromEntries(
    [...document.querySelectorAll('[data-pane=${seat}] .board-list[data-list]')].map(list => [
      list.querySelector('.list-title').value,
      [...list.querySelectorAll('.card-title')].map(title => title.textContent)
    ]))`)
}

async function allTitles(page: Page, seat: Seat): Promise<string[]> {
  return Object.values(await titlesIn(page, seat)).flat()
}

async function everywhere(page: Page, lists: Lists): Promise<void> {
  for (const seat of ['left', 'right'] as const) {
    await expect.poll(() => titlesIn(page, seat), patience).toMatchObject(lists)
  }
}

type Drag = { readonly seat: Seat; readonly card: string } & (
  | { readonly above: string }
  | { readonly intoList: string }
)

async function drag(page: Page, how: Drag): Promise<void> {
  const { seat, card } = how
  const target =
    'above' in how
      ? cardFace(page, seat, how.above)
      : pane(page, seat).getByLabel(`Add a card to ${how.intoList}`)
  await dragBetween(page, cardFace(page, seat, card), target)
}

type Place = ReturnType<typeof cardFace>

async function dragBetween(page: Page, from: Place, to: Place): Promise<void> {
  await holdMouseOver(page, from, to)
  await page.mouse.up()
}

/** Takes hold of an element and carries it over the upper part of another one, without letting go. */
async function holdMouseOver(page: Page, from: Place, to: Place): Promise<void> {
  const start = await from.boundingBox()
  const end = await to.boundingBox()
  if (start === null || end === null) throw new Error('nothing to drag, or nowhere to drag it')
  await page.mouse.move(start.x + start.width / 2, start.y + 12)
  await page.mouse.down()
  await page.mouse.move(start.x + start.width / 2 + 8, start.y + 20, { steps: 3 })
  await page.mouse.move(end.x + end.width / 2, end.y + 6, { steps: 8 })
}

async function addCard(page: Page, { seat, list, title }: { seat: Seat; list: string; title: string }) {
  await pane(page, seat).getByLabel(`Add a card to ${list}`).fill(title)
  await page.keyboard.press('Enter')
  await expect.poll(() => allTitles(page, seat), patience).toContain(title)
}

async function moveByPanel(page: Page, { seat, card, list }: { seat: Seat; card: string; list: string }) {
  await cardFace(page, seat, card).click()
  const panel = pane(page, seat).locator('.card-panel')
  await panel.getByLabel('List').selectOption(list)
  await panel.getByRole('button', { name: 'Close the card' }).click()
}
