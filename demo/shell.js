/**
 * What all pages have in common, filled into them when they are built: a page says `<!-- shell:room -->` where the
 * room is to stand. It knows the pages by their table only.
 */
import { basename } from 'node:path'
import { pages } from './pages.js'

const icons = {
  link: 'M8.5 11.5a3 3 0 0 0 4.3 0l3-3a3 3 0 0 0-4.3-4.3l-.8.8M11.5 8.5a3 3 0 0 0-4.3 0l-3 3a3 3 0 0 0 4.3 4.3l.8-.8',
  code: 'M3 3h5v5H3zM12 3h5v5h-5zM3 12h5v5H3zM12 12h2v2M17 12v2M12 17h2M17 17v-.5',
  source: 'M7 6 3 10l4 4M13 6l4 4-4 4',
  wire: 'M3 7h12l-3-3M17 13H5l3 3'
}

const parts = { head, header, actions, room, code, footer, dialog }

/** The Vite plugin that fills the pages. */
export function pageShell() {
  return {
    name: 'page-shell',
    transformIndexHtml: {
      order: 'pre',
      handler(html, { filename }) {
        const page = pages.find(({ id }) => id === basename(filename, '.html'))
        if (page === undefined) throw new Error(`${filename} is missing from demo/pages.js`)
        return html.replace(/^( *)<!-- shell:(\w+) -->/gm, (_match, indent, name) => {
          if (!Object.hasOwn(parts, name)) throw new Error(`${filename}: there is no shell:${name}`)
          return parts[name](page).trim().replaceAll(/^/gm, indent)
        })
      }
    }
  }
}

function head({ id, title, description }) {
  return `
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${description}">
<title>${title}</title>
<link rel="icon" href="./favicon.svg" type="image/svg+xml">
<script vite-ignore src="./theme.js"></script>
<script type="module" src="./src/pages/${id}.ts"></script>`
}

function header({ id }) {
  const [start, ...others] = pages
  const links = others.map(other => {
    const current = other.id === id ? ' aria-current="page"' : ''
    return `    <a data-carries-room href="./${other.id}.html"${current}>${other.name}</a>`
  })
  return `
<header class="site-header">
  <a class="brand" data-carries-room href="./" aria-label="Chorus, ${start.name.toLowerCase()} page"${id === start.id ? ' aria-current="page"' : ''}>
    <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true"><path d="M7 12v8"/><path d="M13 7v18"/><path d="M19 10v12"/><path d="M25 13v6"/></svg>
    <span>Chorus</span>
  </a>
  <nav class="site-nav" aria-label="Pages">
${links.join('\n')}
  </nav>
  <button id="theme" class="icon-button" type="button" aria-label="Switch theme"></button>
</header>`
}

function actions({ id }) {
  return `
<div class="room-bar">
  <div class="room-actions">
    <button id="copy-link" class="button" type="button">
      ${icon('link')}
      <span id="copy-link-label" aria-live="polite">Copy link</span>
    </button>
    <button id="open-qr" class="button" type="button">
      ${icon('code')}
      Second device
    </button>
    <a class="button" href="./source/pages-${id}.ts.html">
      ${icon('source')}
      <span>Source<span class="visually-hidden"> of this page</span></span>
    </a>
    <button id="open-wire" class="button" type="button" aria-expanded="false">
      ${icon('wire')}
      Wire
    </button>
  </div>
  <p class="room-label">Room <code id="room-name"></code></p>
</div>`
}

function room() {
  return `
<p id="notice" class="notice" role="status" hidden></p>
<div id="strip"></div>
<div id="panes" class="panes"><noscript>This page is made of live documents and needs JavaScript.</noscript></div>
<div id="wire"></div>`
}

function code() {
  return `
<div class="code-block">
  <pre id="snippet"><code id="snippet-code"></code></pre>
  <button id="copy-snippet" class="button" type="button"><span id="copy-snippet-label" aria-live="polite">Copy code</span></button>
</div>`
}

function footer() {
  return `
<footer class="site-footer">
  <p>Chorus is free software under the MIT licence. This page loads nothing from anywhere else.</p>
  <p><a href="./source/index.html">All demo sources</a></p>
</footer>`
}

function dialog() {
  return `
<dialog id="qr-dialog" class="dialog" aria-labelledby="qr-title">
  <h2 id="qr-title">Open this room on a second device</h2>
  <div id="qr-code" class="qr-code"></div>
  <p class="qr-link"><code id="qr-link"></code></p>
  <p id="qr-loopback" class="hint" hidden>
    The address of this page works only on this computer. For another device, start the server with
    <code>--host 0.0.0.0 --auth none</code>, which lets everybody in your network read and write, and open the page at
    this computer’s network address.
  </p>
  <form method="dialog"><button class="button primary" type="submit">Close</button></form>
</dialog>`
}

function icon(name) {
  return `<svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d="${icons[name]}"/></svg>`
}
