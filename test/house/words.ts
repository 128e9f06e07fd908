/** Checks of words: names we do not use, comments that hide something, and traces of a developer's machine. */
import ts from 'typescript'
import { type Finding, placeAt, placeOf, type Source, type TextFile, walk } from './source.ts'

/** A word, what to say instead, and the files in which it means something else. */
export type BannedWord = {
  readonly word: string
  readonly instead: string
  readonly exceptIn?: readonly string[]
}

/** In file names and in every name a file gives, as a whole word of `camelCase` or `kebab-case`. */
export function wordFindings(sources: readonly Source[], banned: readonly BannedWord[]): Finding[] {
  return sources.flatMap(source => [
    ...bannedIn(source.path, source.path, banned).map(
      finding => `${source.path}:1: ${finding} (in the file's name)`
    ),
    ...namesGivenIn(source.tree).flatMap(node =>
      bannedIn(node.text, source.path, banned).map(
        finding => `${placeOf(source, node)}: ${finding} (in ${node.text})`
      )
    )
  ])
}

function bannedIn(name: string, path: string, banned: readonly BannedWord[]): string[] {
  const words = name.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).map(word => word.toLowerCase())
  return banned
    .filter(({ word, exceptIn = [] }) => words.includes(word) && !exceptIn.includes(path))
    .map(({ word, instead }) => `not "${word}" but ${instead}`)
}

/** Names that the file itself gives; what packages call their things is not ours to choose. */
function namesGivenIn(tree: ts.SourceFile): (ts.Identifier | ts.PrivateIdentifier)[] {
  const names: (ts.Identifier | ts.PrivateIdentifier)[] = []
  walk(tree, node => {
    if (!ts.isIdentifier(node) && !ts.isPrivateIdentifier(node)) return
    const { parent } = node
    const isUse = ts.isPropertyAccessExpression(parent) || ts.isImportSpecifier(parent)
    if (!isUse && 'name' in parent && parent.name === node) names.push(node)
  })
  return names
}

/** `any`, and comments that switch the compiler off or promise something without an issue. */
export function typeAndCommentFindings(sources: readonly Source[]): Finding[] {
  return sources.flatMap(source => [...anyFindings(source), ...commentFindings(source)])
}

function anyFindings(source: Source): Finding[] {
  const findings: Finding[] = []
  walk(source.tree, node => {
    if (node.kind !== ts.SyntaxKind.AnyKeyword) return
    findings.push(`${placeOf(source, node)}: not "any" but "unknown", narrowed where it is checked`)
  })
  return findings
}

function commentFindings(source: Source): Finding[] {
  return commentsOf(source).flatMap(({ position, text }) => {
    const place = placeAt(source, position)
    const findings: Finding[] = []
    if (/\b(TODO|FIXME|XXX)\b(?!\s*\(?#\d)/.test(text)) {
      findings.push(`${place}: a TODO without an issue; write TODO #12, or do it`)
    }
    if (/@ts-(ignore|nocheck)\b/.test(text)) {
      findings.push(
        `${place}: the compiler is switched off; mend the type, or use @ts-expect-error with its reason`
      )
    }
    return findings
  })
}

/** Comments stand before or after a token, so every token is asked; each comment is found once. */
function commentsOf({ text, tree }: Source): { position: number; text: string }[] {
  const found = new Map<number, string>()
  const note = (range: ts.CommentRange) => {
    found.set(range.pos, text.slice(range.pos, range.end))
  }
  const visit = (node: ts.Node) => {
    const children = node.getChildren(tree)
    if (children.length > 0) return children.forEach(visit)
    for (const range of ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []) note(range)
    for (const range of ts.getTrailingCommentRanges(text, node.getEnd()) ?? []) note(range)
  }
  visit(tree)
  return [...found].map(([position, comment]) => ({ position, text: comment }))
}

// Written in parts, so that this file does not find itself.
const machineFolders = ['work', 'root', 'home'].join('|')
const machinePath = new RegExp(String.raw`(?<![\w.~})\]-])/(?:${machineFolders})/`)
const registryHost =
  /\b(?:https?:)?\/\/(?:[\w-]+\.)*(?:registry|artifactory|nexus|verdaccio|npm-proxy)[\w-]*(?:\.[\w-]+)*[:/]/

/** In any file, the lockfile included: paths of a machine, addresses of a package registry. */
export function machineFindings(files: readonly TextFile[]): Finding[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const place = `${path}:${index + 1}`
      const findings: Finding[] = []
      if (machinePath.test(line))
        findings.push(`${place}: a path of one machine; write it relative to the repository`)
      if (registryHost.test(line)) {
        findings.push(
          `${place}: the address of a package registry; npm's omit-lockfile-registry-resolved leaves it out`
        )
      }
      return findings
    })
  )
}
