/**
 * A real process killed with SIGKILL, and a real full disk: every append that resolved is there.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { labelOf } from '../../persistence/conformance-tools.ts'
import { openLevelStore } from '../../persistence/leveldb.ts'
import { killChild, linesOf, startChild } from './child.ts'
import { temporaryDirectory } from './places.ts'

describe('kill -9', () => {
  test('while appends and checkpoints run: all that resolved is there, the checkpoint whole', async () => {
    const directory = temporaryDirectory()
    for (const killAfter of [60, 25, 40]) {
      const child = startChild(writeForEver, [directory])
      let seenLines = 0
      let lastLabel = -1
      let resolved = ''
      for await (const line of linesOf(child)) {
        resolved = line
        if (++seenLines === killAfter) void killChild(child)
      }
      lastLabel = Number(resolved)

      const store = await openLevelStore(directory)
      const loaded = await store.load('a')
      const merged = loaded.checkpoint?.segments.map(segment => Number(labelOf(segment))) ?? []
      const tail = loaded.records.map(({ record }) => Number(labelOf(record)))
      expect(new Set(merged).size).toBeLessThanOrEqual(1)
      const from = (merged[0] ?? -1) + 1
      expect(tail).toEqual(Array.from({ length: tail.length }, (_, index) => from + index))
      expect(from + tail.length - 1).toBeGreaterThanOrEqual(lastLabel)
      await store.close()
    }
  })
})

describe('a full disk', () => {
  test('appends fail with STORE_FULL, go on when there is space, and survive kill -9', async context => {
    const directory = mountSmallDisk()
    if (directory === null) {
      if (process.env.CI === 'true') throw new Error('CI must be able to mount a tmpfs for this test')
      console.warn('SKIPPED: a tmpfs cannot be mounted here, so the full disk was not tested')
      context.skip()
      return
    }
    const ballast = join(directory, '..', 'disk', 'ballast')
    mkdirSync(join(directory, 'store'))
    writeFileSync(ballast, Buffer.alloc(6 * 1024 * 1024))
    const child = startChild(fillDisk, [join(directory, 'store')])
    const resolved: string[] = []
    let failures = 0
    for await (const line of linesOf(child)) {
      if (line.startsWith('ok ')) resolved.push(line.slice(3))
      else expect(line).toBe('failed STORE_FULL')
      if (line.startsWith('failed')) failures++
      if (failures === 5) rmSync(ballast, { force: true })
      if (failures >= 5 && line === 'ok after') void killChild(child)
    }
    expect(failures).toBeGreaterThanOrEqual(5)
    expect(resolved.at(-1)).toBe('after')

    const store = await openLevelStore(join(directory, 'store'))
    const labels = new Set((await store.load('a')).records.map(({ record }) => labelOf(record)))
    expect(resolved.filter(label => !labels.has(label))).toEqual([])
    expect(resolved.length).toBeGreaterThan(20)
    await store.close()
  })
})

/** Appends a number, prints it when it is durable; merges all so far every seventh. */
const writeForEver = `
import { openLevelStore } from './persistence/index.js'
const store = await openLevelStore(process.argv[2])
const bytesOf = (label, size) => { const b = Buffer.alloc(size); b.write(label + '\\n'); return b }
const labelOf = bytes => { const b = Buffer.from(bytes); return b.toString('utf8', 0, b.indexOf(10)) }
const first = await store.load('a')
const merged = first.checkpoint === null ? -1 : Number(labelOf(first.checkpoint.segments[0]))
let next = merged + first.records.length + 1
const checkpoint = async () => {
  const { incarnation, checkpoint, records } = await store.load('a')
  const last = records.at(-1)
  if (last === undefined) return
  const segments = Array.from({ length: 6 }, () => bytesOf(labelOf(last.record), 300000))
  await store.checkpoint({ document: 'a', incarnation, base: checkpoint?.generation ?? null,
    replaces: records.map(r => r.sequence), meta: Buffer.alloc(0), segments })
}
let merging = Promise.resolve()
while (true) {
  await store.append([{ document: 'a', record: bytesOf(String(next), 50) }])
  process.stdout.write(next + '\\n')
  if (next % 7 === 0) { await merging; merging = checkpoint() }
  next++
}
`

/** Appends until the disk is full, tries again until there is space, then goes on for a while. */
const fillDisk = `
import { openLevelStore } from './persistence/index.js'
const store = await openLevelStore(process.argv[2])
const say = line => new Promise(done => process.stdout.write(line + '\\n', done))
let wasFull = false
let after = 0
for (let index = 0; ; index++) {
  const label = wasFull && after >= 20 ? 'after' : String(index)
  const record = Buffer.alloc(20000)
  crypto.getRandomValues(record)
  record.write(label + '\\n')
  try {
    await store.append([{ document: 'a', record }])
    if (wasFull) after++
    await say('ok ' + label)
    if (label === 'after') await new Promise(resolve => setTimeout(resolve, 60000))
  } catch (error) {
    wasFull = true
    after = 0
    await say('failed ' + error.code)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
`

/** 16 MiB of tmpfs, unmounted after the test; null where mounting is not allowed. */
function mountSmallDisk(): string | null {
  const directory = join(temporaryDirectory(), 'disk')
  mkdirSync(directory)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', directory], { stdio: 'ignore' })
  } catch {
    // Not root, or no mount here: the caller says so loudly.
    return null
  }
  onTestFinished(() => void execFileSync('umount', ['-l', directory], { stdio: 'ignore' }))
  return directory
}
