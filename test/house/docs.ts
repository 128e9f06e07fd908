/** Checks of the docs against the code and tests: rule ids, file lists, invariants, links, changelog. */
import { posix } from 'node:path'
import ts from 'typescript'
import { type Finding, placeOf, type Source, type TextFile, walk } from './source.ts'

/** Two letters or more: I1 and so on are invariants, not rules of the protocol. */
const ruleId = '[A-Z]{2,4}[0-9]+'

/** A rule's line in the protocol begins with its id, in bold or as a heading: `- **YW1** …`, `### YW1 …`. */
export function rulesOf(protocol: TextFile): Map<string, string> {
  const pattern = new RegExp(`^\\s*(?:(?:[-*]|\\|)\\s+\\*\\*|#{1,6}\\s+(?:\\*\\*)?|\\*\\*)(${ruleId})\\b`)
  const rules = new Map<string, string>()
  protocol.text.split('\n').forEach((line, index) => {
    const id = pattern.exec(line)?.[1]
    if (id !== undefined) rules.set(id, `${protocol.path}:${index + 1}`)
  })
  return rules
}

/** Ids in the titles of tests and suites: `[YW1] …`, `[YW1, AW2] …`, `[YW1] [AW2] …`. */
export function rulesTestedIn(source: Source): Map<string, string> {
  const tested = new Map<string, string>()
  walk(source.tree, node => {
    if (!ts.isCallExpression(node) || !isTestCall(node.expression)) return
    const title = node.arguments[0]?.getText(source.tree) ?? ''
    for (const [, ids = ''] of title.matchAll(new RegExp(`\\[(${ruleId}(?:,\\s*${ruleId})*)\\]`, 'g'))) {
      for (const id of ids.split(/,\s*/)) tested.set(id, placeOf(source, node))
    }
  })
  return tested
}

/** `it(…)`, `test.skipIf(…)(…)`, `describe.each(…)(…)` and the like. */
function isTestCall(expression: ts.Expression): boolean {
  if (ts.isIdentifier(expression)) return ['it', 'test', 'describe'].includes(expression.text)
  if (ts.isPropertyAccessExpression(expression) || ts.isCallExpression(expression)) {
    return isTestCall(expression.expression)
  }
  return false
}

export function ruleFindings(protocol: TextFile, tests: readonly Source[]): Finding[] {
  const rules = rulesOf(protocol)
  const tested = new Map(tests.flatMap(source => [...rulesTestedIn(source)]))
  return [
    ...[...rules]
      .filter(([id]) => !tested.has(id))
      .map(([id, place]) => `${place}: rule ${id} has no test; title one [${id}] …`),
    ...[...tested]
      .filter(([id]) => !rules.has(id))
      .map(([id, place]) => `${place}: [${id}] is no rule; write it down in ${protocol.path}`),
    ...(rules.size === 0 ? [`${protocol.path}:1: no numbered rule; write lines like "- **YW1** …"`] : [])
  ]
}

/** Files are named by their whole path: `src/room/room.ts`, `persistence/store.ts`. */
export function fileListFindings(page: TextFile, paths: readonly string[]): Finding[] {
  const listed = new Set(page.text.match(/\b(?:src|persistence|bus|outlets|client)\/[\w./-]+\.tsx?\b/g))
  return [
    ...paths
      .filter(path => !listed.has(path))
      .map(path => `${page.path}: ${path} is not listed; say what it owns`),
    ...[...listed]
      .filter(path => !paths.includes(path))
      .map(path => `${page.path}: ${path} is listed and is not there; remove its line`)
  ]
}

/** Each invariant has a line of its own that begins with its name: `- **I1** …`. */
export function invariantFindings(page: TextFile, count: number): Finding[] {
  const named = new Set(
    [...page.text.matchAll(/^[\s|*#-]*I([0-9]+)\b/gm)].map(([, number]) => Number(number))
  )
  return Array.from({ length: count }, (_, index) => index + 1)
    .filter(number => !named.has(number))
    .map(number => `${page.path}: invariant I${number} is missing; give it a line "- **I${number}** …"`)
}

/** A heading `## 1.2.3`, perhaps in brackets and with a date. */
export function changelogFindings(page: TextFile, version: string): Finding[] {
  const heading = new RegExp(`^## \\[?v?${version.replaceAll('.', '\\.')}(?![\\w.-])`, 'm')
  return heading.test(page.text)
    ? []
    : [`${page.path}: no entry for ${version}; begin one with "## ${version}"`]
}

/** A table's markers are there, and between them is what the code says. */
export function tableFindings(page: TextFile, name: string, fill: (text: string) => string): Finding[] {
  const open = `<!-- table:${name} -->`
  if (!page.text.includes(`${open}\n`)) {
    return [
      `${page.path}: no table ${name}; write the lines "${open}" and "<!-- /table -->", then node scripts/tables.js`
    ]
  }
  const line = firstDifference(page.text, fill(page.text))
  return line === null
    ? []
    : [`${page.path}:${line}: the table differs from the code; run node scripts/tables.js`]
}

function firstDifference(text: string, wanted: string): number | null {
  if (text === wanted) return null
  const wantedLines = wanted.split('\n')
  return text.split('\n').findIndex((line, index) => line !== wantedLines[index]) + 1
}

/** Relative links of Markdown pages lead to files (or folders) of `paths`, and their anchors to headings. */
export function linkFindings(pages: readonly TextFile[], paths: readonly string[]): Finding[] {
  const texts = new Map(pages.map(({ path, text }) => [path, text]))
  const isThere = (target: string) =>
    target === '.' || paths.some(path => path === target || path.startsWith(`${target}/`))
  return pages.flatMap(({ path, text }) =>
    linksOf(text).flatMap(({ target, line }) => {
      const [file = '', anchor] = target.split('#')
      const resolved =
        file === '' ? path : posix.join(posix.dirname(path), decodeURIComponent(file)).replace(/\/$/, '')
      if (!isThere(resolved)) return [`${path}:${line}: ${target} leads nowhere; there is no ${resolved}`]
      const linked = texts.get(resolved)
      if (anchor === undefined || linked === undefined || anchorsOf(linked).has(anchor)) return []
      return [`${path}:${line}: ${target} leads to no heading of ${resolved}`]
    })
  )
}

/**
 * Paths in backticks that begin with a folder of the repository, or of the page's own folder, are those of files or
 * folders of `paths`. What is made by a build or an install is not there before.
 */
export function pathFindings(pages: readonly TextFile[], paths: readonly string[]): Finding[] {
  const places = new Set(paths.flatMap(foldersOf))
  const roots = new Set([...places].filter(place => !place.includes('/')))
  return pages.flatMap(({ path, text }) =>
    text.split('\n').flatMap((content, index) =>
      [...content.matchAll(/`(?:\.\/)?([\w.@-]+\/[\w./@-]*)`/g)]
        .map(([, found = '']) => found.replace(/\/$/, ''))
        .filter(found => roots.has(found.split('/')[0] ?? '') && !/\/(?:dist|node_modules)\b/.test(found))
        .filter(found => !places.has(found) && !places.has(posix.join(posix.dirname(path), found)))
        .map(found => `${path}:${index + 1}: there is no ${found}`)
    )
  )
}

/** The path and every folder that it lies in. */
function foldersOf(path: string): string[] {
  const parts = path.split('/')
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

function linksOf(text: string): { target: string; line: number }[] {
  return withoutCode(text)
    .split('\n')
    .flatMap((content, index) =>
      [...content.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)/g)]
        .map(([, inline, reference]) => ({ target: inline ?? reference ?? '', line: index + 1 }))
        .filter(({ target }) => !/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(target))
    )
}

/** Headings as GitHub turns them into anchors; a repeated one gets -1, -2. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set([...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, name = '']) => name))
  for (const [, heading = ''] of text.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const words = heading.replaceAll(/\]\([^)]*\)/g, ']').toLowerCase()
    const slug = words.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(/\s/g, '-')
    let anchor = slug
    for (let repeated = 1; anchors.has(anchor); repeated += 1) anchor = `${slug}-${repeated}`
    anchors.add(anchor)
  }
  return anchors
}

/** Code keeps its line breaks, so that line numbers stay right. */
function withoutCode(text: string): string {
  const blanked = text.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, block => block.replaceAll(/[^\n]/g, ''))
  return blanked.replaceAll(/`[^`\n]*`/g, '')
}

/** The last cell of each row of the table of threats: a test file and the beginning of a title in it. */
export function threatFindings(security: TextFile, files: readonly TextFile[]): Finding[] {
  const rows = [...security.text.matchAll(/^\|.*\| `(test\/\S+)`: (.*?) *\|$/gm)]
  if (rows.length === 0) return [`${security.path}: no row names a test`]
  return rows.flatMap(([, path = '', title = '']) => {
    const file = files.find(each => each.path === path)
    if (file === undefined) return [`${security.path}: there is no ${path}`]
    return file.text.includes(title) ? [] : [`${security.path}: ${path} has no test "${title}"`]
  })
}
