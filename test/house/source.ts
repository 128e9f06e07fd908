/** The repository's own text, for the tests that keep it in order: which files there are, and TypeScript parsed. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

export const root = join(import.meta.dirname, '../..')

/** A file by its path from the repository's root, with `/`. */
export type TextFile = { readonly path: string; readonly text: string }

/** The same, parsed. */
export type Source = TextFile & { readonly tree: ts.SourceFile }

/** Something out of order: where, and what to write instead. */
export type Finding = string

/** Every file that is tracked or would be with `git add .`, and is there. */
export function repositoryPaths(): string[] {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '-z']
  const paths = execFileSync('git', list, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\0')
  return paths.filter(path => path !== '' && existsSync(join(root, path)))
}

/** The same with their text. Binary ones are left out. */
export function repositoryFiles(): TextFile[] {
  return repositoryPaths()
    .map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }))
    .filter(({ text }) => !text.includes('\0'))
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** The TypeScript files below these folders, parsed. */
export function sourcesIn(files: readonly TextFile[], folders: readonly string[]): Source[] {
  return files
    .filter(({ path }) => /\.tsx?$/.test(path) && folders.some(folder => path.startsWith(folder)))
    .map(({ path, text }) => parse(path, text))
}

export function parse(path: string, text: string): Source {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) }
}

/** Calls `visit` for the node and everything in it, depth first. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, child => walk(child, visit))
}

/** `path:line` of a node, as editors understand it. */
export function placeOf({ path, tree }: Source, node: ts.Node): string {
  return placeAt({ path, tree }, node.getStart(tree))
}

export function placeAt({ path, tree }: Pick<Source, 'path' | 'tree'>, position: number): string {
  return `${path}:${tree.getLineAndCharacterOfPosition(position).line + 1}`
}
