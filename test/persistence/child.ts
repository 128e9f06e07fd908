/**
 * The persistence folder as plain JavaScript for child processes, which Node 20 cannot run from TypeScript:
 * one file at a time through the compiler, so that a test never runs against an old build.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from './places.ts'

const root = join(import.meta.dirname, '../..')

/** Starts `node` on a module that imports from './persistence/index.js'. It is killed after the test. */
export function startChild(source: string, args: readonly string[]): ChildProcess {
  const directory = temporaryDirectory()
  const target = join(directory, 'persistence')
  for (const name of readdirSync(join(root, 'persistence'), { encoding: 'utf8', recursive: true })) {
    if (!name.endsWith('.ts')) continue
    mkdirSync(dirname(join(target, name)), { recursive: true })
    const text = readFileSync(join(root, 'persistence', name), 'utf8')
    writeFileSync(join(target, name.replace(/\.ts$/, '.js')), transpile(text))
  }
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(directory, 'child.js'), source)
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  const child = spawn(process.execPath, [join(directory, 'child.js'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** The child's lines as they come; ends with the child. */
export async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of child.stdout ?? []) {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

/** Ends the child as a power cut would end the process. */
export async function killChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}

function transpile(text: string): string {
  return ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
      verbatimModuleSyntax: true
    }
  }).outputText
}
