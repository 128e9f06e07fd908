/** Checks of who imports whom: layers, homes of packages, cycles. The tables are the caller's. */
import { posix } from 'node:path'
import ts from 'typescript'
import { type Finding, placeOf, type Source, walk } from './source.ts'

export type Import = {
  readonly from: string
  /** A path from the repository's root for a relative specifier, else the package or `node:` module. */
  readonly to: string
  readonly isRelative: boolean
  /** Nothing of it is left when the code runs. */
  readonly isTypeOnly: boolean
  /** `path:line`. */
  readonly place: string
}

/**
 * What a file or folder (with `/` at the end) may import. An entry `type x` allows only types of x. A folder's files
 * may always import one another.
 */
export type Layers = { readonly [layer: string]: readonly string[] }

/** Where a package (or `node:` module) may be imported: files, folders with `/`, or `type x` for its types only. */
export type Homes = { readonly [packageName: string]: readonly string[] }

export function importsOf(source: Source): Import[] {
  const imports: Import[] = []
  walk(source.tree, node => {
    const specifier = specifierOf(node)
    if (specifier === null) return
    const isRelative = specifier.startsWith('.')
    const to = isRelative ? posix.join(posix.dirname(source.path), specifier) : packageOf(specifier)
    imports.push({
      from: source.path,
      to,
      isRelative,
      isTypeOnly: isTypeOnly(node),
      place: placeOf(source, node)
    })
  })
  return imports
}

function specifierOf(node: ts.Node): string | null {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    const specifier = node.moduleSpecifier
    return specifier !== undefined && ts.isStringLiteral(specifier) ? specifier.text : null
  }
  if (ts.isImportTypeNode(node)) {
    const { argument } = node
    return ts.isLiteralTypeNode(argument) && ts.isStringLiteral(argument.literal)
      ? argument.literal.text
      : null
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments
    return argument !== undefined && ts.isStringLiteralLike(argument) ? argument.text : null
  }
  return null
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportTypeNode(node)) return true
  if (ts.isExportDeclaration(node)) {
    const { exportClause } = node
    if (node.isTypeOnly || exportClause === undefined || !ts.isNamedExports(exportClause))
      return node.isTypeOnly
    return exportClause.elements.every(element => element.isTypeOnly)
  }
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return false
  const { phaseModifier, name, namedBindings } = node.importClause
  if (phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) return false
  return namedBindings.elements.every(element => element.isTypeOnly)
}

/** `@scope/name/part` → `@scope/name`, `lib0/encoding` → `lib0`, `node:fs/promises` → `node:fs`. */
function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

export function layerFindings(imports: readonly Import[], layers: Layers): Finding[] {
  return imports.flatMap(({ from, to, isRelative, isTypeOnly, place }) => {
    if (!isRelative) return []
    const layer = layerOf(from, layers)
    if (layer === null) return [`${place}: ${from} is in no layer; give it a line in the table`]
    if (layer.endsWith('/') && to.startsWith(layer)) return []
    const allowed = layers[layer] ?? []
    if (allows(allowed, to, isTypeOnly)) return []
    const kind = allows(allowed, to, true) ? 'only types of ' : ''
    const words = kind === '' ? `${layer} may not import ${to}` : `${layer} may import ${kind}${to}`
    return [`${place}: ${words}; allowed: ${allowed.join(', ') || 'nothing'}`]
  })
}

/** The most specific line of the table: a file before its folder. */
function layerOf(path: string, layers: Layers): string | null {
  const matching = Object.keys(layers).filter(layer => matches(layer, path))
  return matching.sort((a, b) => b.length - a.length)[0] ?? null
}

function allows(allowed: readonly string[], path: string, isTypeOnly: boolean): boolean {
  return allowed.some(
    entry =>
      matches(entry, path) || (isTypeOnly && entry.startsWith('type ') && matches(entry.slice(5), path))
  )
}

function matches(entry: string, path: string): boolean {
  return entry.endsWith('/') ? path.startsWith(entry) : path === entry
}

/** `homes` need not list harmless Node modules: those without a line may be imported anywhere; packages may not. */
export function homeFindings(imports: readonly Import[], homes: Homes): Finding[] {
  return imports.flatMap(({ from, to, isRelative, isTypeOnly, place }) => {
    if (isRelative) return []
    const home = homes[to]
    if (home === undefined) {
      return to.startsWith('node:') ? [] : [`${place}: ${to} has no home; give it a line in the table`]
    }
    return allows(home, from, isTypeOnly) ? [] : [`${place}: ${to} is imported only in ${home.join(', ')}`]
  })
}

/** Both directions between package.json's dependencies and the packages imported. */
export function dependencyFindings(imports: readonly Import[], dependencies: readonly string[]): Finding[] {
  const imported = new Set(
    imports.filter(each => !each.isRelative && !each.to.startsWith('node:')).map(each => each.to)
  )
  return [
    ...dependencies
      .filter(name => !imported.has(name))
      .map(name => `package.json: nothing imports ${name}; remove it, or move it to devDependencies`),
    ...[...imported]
      .filter(name => !dependencies.includes(name))
      .map(name => `package.json: ${name} is imported; add it to dependencies`)
  ]
}

/** One finding per cycle that a depth-first walk closes. Imports of types count: they tie ideas together as well. */
export function cycleFindings(imports: readonly Import[]): Finding[] {
  const targets = new Map<string, string[]>()
  for (const { from, to, isRelative } of imports) {
    if (isRelative) targets.set(from, [...(targets.get(from) ?? []), to])
  }
  const findings: Finding[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path)
    if (start !== -1) {
      findings.push(
        `${path}: import cycle ${[...trail.slice(start), path].join(' → ')}; move what both need into one`
      )
      return
    }
    if (done.has(path)) return
    for (const to of targets.get(path) ?? []) visit(to, [...trail, path])
    done.add(path)
  }
  for (const path of targets.keys()) visit(path, [])
  return findings
}
