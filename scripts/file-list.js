/**
 * The list of the source files, by folder and in reading order: what a file builds on comes before it. What each owns is
 * the opening comment of the file itself.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './run.js'

/** Every source file of the server, with its text; paths begin at the repository's root. */
export function readSources() {
  return ['src', 'persistence', 'bus', 'outlets', 'client'].flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true })
      .filter(path => /\.tsx?$/.test(path))
      .map(path => `${folder}/${path.replaceAll('\\', '/')}`)
      .sort()
      .map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }))
  )
}

/** As Markdown that lies in `docs/`. Throws for a file that does not begin with a comment. */
export function renderFileList(sources) {
  const ordered = inReadingOrder(sources)
  const folders = [...new Set(ordered.map(({ path }) => dirname(path)))]
  return folders
    .map(folder => {
      const inside = ordered.filter(({ path }) => dirname(path) === folder)
      return `## ${folder}\n\n${inside.map(lineOf).join('\n')}`
    })
    .join('\n\n')
}

function lineOf({ path, text }) {
  return `- [${path}](../${path}): ${openingComment(path, text)}`
}

function openingComment(path, text) {
  const [, block, lines] = /^(?:#!.*\n)?(?:\/\*\*([\s\S]*?)\*\/|((?:\/\/.*\n)+))/.exec(text) ?? []
  if (block === undefined && lines === undefined) {
    throw new Error(`${path} has no opening comment; say what it owns`)
  }
  const words = block === undefined ? lines.replaceAll(/^\/\/ ?/gm, '') : block.replaceAll(/^\s*\*? ?/gm, '')
  return words.replaceAll(/\s+/g, ' ').replaceAll('<', '\\<').trim()
}

/** Depth first along the imports; files that do not hang on one another by their paths. */
function inReadingOrder(sources) {
  const known = new Map(sources.map(source => [source.path, source]))
  const ordered = new Set()
  const visited = new Set()
  const visit = source => {
    if (visited.has(source)) return
    visited.add(source)
    for (const [, specifier] of source.text.matchAll(/from '(\.[^']+)'/g)) {
      const target = known.get(join(dirname(source.path), specifier).replaceAll('\\', '/'))
      if (target !== undefined) visit(target)
    }
    ordered.add(source)
  }
  for (const source of sources) visit(source)
  return [...ordered]
}
