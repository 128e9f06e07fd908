// Builds the demo pages into demo/dist. Paths are relative, so the result works under any mount path.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { pages } from './pages.js'
import { pageShell } from './shell.js'

const root = fileURLToPath(new URL('.', import.meta.url))

export default defineConfig({
  root,
  base: './',
  logLevel: 'warn',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
    rollupOptions: { input: Object.fromEntries(pages.map(({ id }) => [id, `${root}${id}.html`])) }
  },
  plugins: [pageShell(), readableSource()]
})

/** Adds each source file as a page under `source/`, so that "view source" works with no repository at hand. */
function readableSource() {
  return {
    name: 'readable-source',
    apply: 'build',
    generateBundle() {
      const names = readdirSync(`${root}src`, { recursive: true })
        .map(name => String(name).replaceAll('\\', '/'))
        .filter(name => /\.(ts|css)$/.test(name))
        .sort((a, b) => Number(b.startsWith('pages/')) - Number(a.startsWith('pages/')) || a.localeCompare(b))
      for (const name of names) {
        const body = `<pre>${escapeHtml(readFileSync(`${root}src/${name}`, 'utf8'))}</pre>`
        this.emitFile({ type: 'asset', fileName: `source/${flat(name)}`, source: sourcePage(name, body) })
      }
      const list = names.map(name => `<li><a href="${flat(name)}">${name}</a></li>`).join('\n')
      this.emitFile({
        type: 'asset',
        fileName: 'source/index.html',
        source: sourcePage('demo/src', `<ul>${list}</ul>`)
      })
    }
  }
}

function flat(name) {
  return `${name.replaceAll('/', '-')}.html`
}

function sourcePage(title, body) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Chorus demo source</title>
<link rel="icon" href="../favicon.svg" type="image/svg+xml">
</head>
<body>
<p><a href="../">Demo</a> / <a href="./index.html">source</a> / ${title}</p>
${body}
</body>
</html>
`
}

function escapeHtml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
