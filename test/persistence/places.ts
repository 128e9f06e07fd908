/**
 * Places to keep a store in, for the suites: memory, a temporary directory, a simulated disk.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { StorePlace } from '../../persistence/conformance.ts'
import { type LevelStoreOptions, openLevelStore } from '../../persistence/leveldb.ts'
import { createMemoryStore } from '../../persistence/memory.ts'
import { type OrderedStoreOptions, openOrderedStore } from '../../persistence/ordered-store.ts'
import {
  createSimulatedDisk,
  type SimulatedDisk,
  type SimulatedOptions
} from '../../persistence/simulated.ts'

/** A directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'chorus-persistence-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export function memoryPlace(): StorePlace {
  return { open: async () => createMemoryStore() }
}

export function levelPlace(options: LevelStoreOptions = {}): StorePlace {
  const directory = temporaryDirectory()
  return {
    open: () => openLevelStore(join(directory, 'store'), options),
    copyDirectory: async () => join(directory, 'copy'),
    openCopy: copy => openLevelStore(copy, options)
  }
}

export type SimulatedPlace = StorePlace & { readonly disk: SimulatedDisk; crash(): Promise<void> }

export function simulatedPlace(
  simulated: SimulatedOptions = {},
  options: OrderedStoreOptions = {}
): SimulatedPlace {
  const disk = createSimulatedDisk(simulated)
  return {
    disk,
    open: () => openOrderedStore(disk.startProcess(), { ...untimed, ...options }),
    crash: async () => disk.crash()
  }
}

/** No timers: nothing is compacted after quiet. */
const untimed: OrderedStoreOptions = { schedule: () => () => {} }
