// The blocks of the pages that mount an editor: two visitors run the same block, and one sees what the other writes.
import { expect, test } from 'vitest'
import { snippetsOf } from '../support/snippets.ts'
import { bundle } from './bundle.ts'
import { describeGallery, patience } from './gallery.ts'

const snippets = ['README.md', 'docs/clients.md']
  .flatMap(snippetsOf)
  .filter(({ runsIn }) => runsIn === 'browser')

describeGallery('editors that the pages show', gallery => {
  test.each(snippets)('$page:$line binds an editor to a room', async ({ page, line, code }) => {
    const script = await bundle(
      code
        .replace("'ws://127.0.0.1:1234'", JSON.stringify(gallery.url.replace(/^http/, 'ws')))
        .replace(/'my.room'/, JSON.stringify(`${page}:${line}`.replaceAll('/', '-')))
        // The tests have several versions of the provider, under names of their own.
        .replace("'@hocuspocus/provider'", "'@hocuspocus/provider4'")
    )
    const [ada, grace] = await Promise.all(
      [1, 2].map(async () => {
        const visitor = await gallery.visit(`${gallery.url}/source/index.html`, { bypassCSP: true })
        await visitor.addScriptTag({ content: script })
        return visitor.locator('[contenteditable=true]')
      })
    )

    await ada?.click()
    await ada?.pressSequentially('seen by both')

    await expect.poll(() => grace?.textContent(), patience).toContain('seen by both')
    // The page says which style sheet it needs; a bundle of the block alone has none.
    gallery.forgive('ProseMirror expects the CSS')
  })

  test('there are such blocks', () => {
    expect(snippets).not.toEqual([])
  })
})
