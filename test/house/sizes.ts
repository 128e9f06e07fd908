/** Checks of how long files and functions are. */
import ts from 'typescript'
import { type Finding, placeOf, type Source, walk } from './source.ts'

export type Sizes = {
  readonly fileLinesMax: number
  readonly functionLinesMax: number
  /** Nine of ten functions are no longer. */
  readonly functionLinesP90: number
}

export type Measured = { readonly place: string; readonly name: string; readonly lines: number }

export function sizeFindings(sources: readonly Source[], sizes: Sizes): Finding[] {
  const functions = sources.flatMap(functionsOf)
  const p90 = percentile(
    functions.map(each => each.lines),
    0.9
  )
  return [
    ...sources
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > sizes.fileLinesMax)
      .map(({ path, lines }) => `${path}:1: ${lines} lines, at most ${sizes.fileLinesMax}; split it by idea`),
    ...functions
      .filter(({ lines }) => lines > sizes.functionLinesMax)
      .map(
        ({ place, name, lines }) =>
          `${place}: ${name} has ${lines} lines, at most ${sizes.functionLinesMax}; move leaves out of it`
      ),
    ...(p90 > sizes.functionLinesP90
      ? [
          `nine of ten functions have up to ${p90} lines, aim ${sizes.functionLinesP90}; the longest: ${longest(functions)}`
        ]
      : [])
  ]
}

/** Every function with a body in braces, from the opening to the closing one. */
export function functionsOf(source: Source): Measured[] {
  const functions: Measured[] = []
  walk(source.tree, node => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return
    const body = node.body as ts.ConciseBody
    if (!ts.isBlock(body)) return
    const line = (position: number) => source.tree.getLineAndCharacterOfPosition(position).line
    const lines = line(body.getEnd()) - line(body.getStart(source.tree)) + 1
    functions.push({ place: placeOf(source, node), name: nameOf(node), lines })
  })
  return functions
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return 'the constructor'
  if (node.name !== undefined) return node.name.getText()
  const { parent } = node
  const isNamed = ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)
  return isNamed ? parent.name.getText() : 'a function without a name'
}

/** The smallest value that at least this share of all values does not exceed; 0 for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

function longest(functions: readonly Measured[]): string {
  const sorted = functions.toSorted((a, b) => b.lines - a.lines).slice(0, 10)
  return sorted.map(({ place, name, lines }) => `${place} ${name} (${lines})`).join(', ')
}
