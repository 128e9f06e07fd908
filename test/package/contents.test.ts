/** What the package holds, as npm would publish it. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { readText, repositoryPaths, root } from '../house/source.ts'
import { type Packed, pack, packedBuild } from '../support/package.ts'
import { temporaryDirectory } from '../support/server.ts'

let packed: Packed

beforeAll(async () => {
  packed = await packedBuild()
})

test('everything that package.json names is there', () => {
  const manifest = JSON.parse(readText('package.json')) as Record<string, unknown>
  const named = stringsIn([
    manifest.main,
    manifest.types,
    manifest.typesVersions,
    manifest.exports,
    manifest.bin
  ])

  const missing = named.map(path => posix.normalize(path)).filter(path => !packed.files.includes(path))

  expect(named.length).toBeGreaterThan(10)
  expect(missing).toEqual([])
})

test('what README links to is there', () => {
  const targets = [...readText('README.md').matchAll(/\]\(([^)#\s]+)[^)]*\)|(?:src|srcset|href)="([^"]+)"/g)]
    .map(([, link, attribute]) => link ?? attribute ?? '')
    .filter(target => !/^[a-z]+:/.test(target))

  const missing = targets.filter(
    target => !packed.files.some(path => path === target || path.startsWith(`${target}/`))
  )

  expect(targets.length).toBeGreaterThan(10)
  expect(missing).toEqual([])
})

test('no map without its sources, no source, no test, and every module that another one loads', () => {
  const code = packed.files.filter(path => /^dist\/.*\.c?js$/.test(path))
  const isStray = (path: string) => /\.map$|^(src|test|bench|scripts|examples)\/|(?<!\.d)\.ts$/.test(path)
  const texts = code.map(path => ({ path, text: readText(path) }))

  const missing = texts.flatMap(({ path, text }) => relativeIn(text).map(to => posix.join(dirname(path), to)))

  expect(packed.files.filter(isStray)).toEqual([])
  expect(texts.filter(({ text }) => text.includes('sourceMappingURL')).map(({ path }) => path)).toEqual([])
  expect(missing.filter(path => !packed.files.includes(path))).toEqual([])
})

test('packed out of a clone that was never built, it is the same', async () => {
  const clone = temporaryDirectory()
  for (const path of repositoryPaths()) cpSync(join(root, path), join(clone, path))
  // Its own folder, as what was built when is noted there; the packages in it are those of here.
  mkdirSync(join(clone, 'node_modules'))
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== '.cache') symlinkSync(join(root, 'node_modules', name), join(clone, 'node_modules', name))
  }

  const { files, tarball } = await pack(clone, temporaryDirectory(), 'run')

  expect([...files].sort()).toEqual([...packed.files].sort())
  expect(readFileSync(tarball).length).toBeLessThan(2.5 * 2 ** 20)
}, 600_000)

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : []
}

/**
 * What a built module imports, requires, starts as a thread or a process, by a path from where it is; in the command's one
 * file, from where the module was that it is of.
 */
function relativeIn(text: string): string[] {
  const loads = /(?:from |import\(|require\(|new URL\()['"](\.[^'"]+)['"](?:, new URL\(['"](\.[^'"]+)['"])?/g
  return [...text.matchAll(loads)]
    .filter(([, path = '']) => !path.endsWith('/'))
    .map(([, path = '', base = '']) => posix.join(dirname(base), path))
}
