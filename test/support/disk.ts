/** A store on a simulated disk, and what tests do to a store's calls. */
import { openOrderedStore } from '../../persistence/ordered-store.ts'
import {
  createSimulatedDisk,
  type SimulatedDisk,
  type SimulatedOptions
} from '../../persistence/simulated.ts'
import type { Store } from '../../persistence/store.ts'

export type DiskStore = { readonly disk: SimulatedDisk; open(): Promise<Store> }

/** `open` begins a process on the disk, as after a crash. */
export function diskStore(options: SimulatedOptions = {}): DiskStore {
  const disk = createSimulatedDisk(options)
  return { disk, open: () => openOrderedStore(disk.startProcess(), { schedule: () => () => {} }) }
}

/** Holds all appends of a store back until `open` is called. */
export function holdAppends(store: Store): { open: () => void; waiting: () => number } {
  const append = store.append.bind(store)
  let waiting = 0
  let open = () => {}
  const gate = new Promise<void>(resolve => {
    open = resolve
  })
  store.append = async entries => {
    waiting++
    await gate
    return append(entries)
  }
  return { open, waiting: () => waiting }
}

/** The store answers no load until the returned function is called. */
export function holdLoads(store: Store): () => void {
  const load = store.load.bind(store)
  let open = () => {}
  const gate = new Promise<void>(resolve => {
    open = resolve
  })
  store.load = async name => {
    await gate
    return load(name)
  }
  return open
}
