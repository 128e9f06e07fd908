/** One picture of the main figures: per scenario a bar per server, relative to the dearest of them. */
import { servers } from './servers/table.js'
import { number } from './text.js'

const colours = {
  chorus: '#2563eb',
  'chorus-hocuspocus': '#7c9cf5',
  relay: '#9ca3af',
  'relay-window': '#d1d5db',
  'y-websocket': '#f59e0b',
  'y-leveldb': '#d97706',
  hocuspocus: '#10b981',
  'hocuspocus-sqlite': '#059669'
}
const width = 900
const labelWidth = 230
const barHeight = 14
const gap = 26
const valueWidth = 70

/** `found`: as report.js has it. Scenarios whose main figure is not a cost are left to the tables. */
export function chart(found) {
  const parts = []
  let y = 36
  for (const { scenario, result } of found) {
    const rows = Object.entries(result.medians)
      .map(([server, figures]) => ({ server, value: figures[scenario.figure[0]] }))
      .filter(({ value }) => Number.isFinite(value) && value >= 0)
    const most = Math.max(...rows.map(({ value }) => value))
    if (!scenario.figure[0].startsWith('cpu') || rows.length < 2 || most <= 0) continue
    parts.push(text({ x: 10, y, size: 13, weight: 600 }, `${scenario.title} (${scenario.figure[1]})`))
    y += 8
    for (const row of rows) {
      parts.push(bar({ ...row, y, most }))
      y += barHeight + 3
    }
    y += gap
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" font-family="system-ui, sans-serif" role="img">`,
    '<title>CPU time of Chorus beside the other servers, scenario by scenario</title>',
    `<rect width="${width}" height="${y}" fill="#ffffff"/>`,
    text(
      { x: 10, y: 16, size: 12, weight: 400 },
      'CPU time of the server, less is better; bars compare within a scenario'
    ),
    ...parts,
    '</svg>\n'
  ].join('\n')
}

function bar({ server, value, y, most }) {
  const length = Math.max(1, ((width - labelWidth - valueWidth) * value) / most)
  const middle = y + barHeight - 3
  return [
    text({ x: 10, y: middle, size: 11, weight: 400 }, servers[server].title),
    `<rect x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" fill="${colours[server]}"/>`,
    text({ x: labelWidth + length + 6, y: middle, size: 11, weight: 400 }, number(value))
  ].join('\n')
}

function text({ x, y, size, weight }, content) {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y}" font-size="${size}" font-weight="${weight}" fill="#111827">${escaped}</text>`
}
