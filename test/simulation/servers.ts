/** What a run has for servers: one on a disk of its own, or several nodes on one database. */
import type { LoadedDocument, Store } from '../../persistence/store.ts'
import type { CheckpointLayout } from '../../src/document/checkpoint.ts'
import { decodeManifest } from '../../src/history/manifest.ts'
import type { Chance } from './chance.ts'
import { type Ledger, storedUpdate } from './ledger.ts'
import type { PageWatch } from './page.ts'
import type { PastBook } from './past-book.ts'
import { checkPast, type PastParts } from './past-checks.ts'
import type { PastTruth } from './past-truth.ts'
import type { Plan } from './plan.ts'
import type { Plant } from './plants.ts'
import type { Home, ProcessParts, ServerProcess } from './server-process.ts'
import type { Trace } from './trace.ts'
import type { Scope, VirtualClock } from './virtual-time.ts'
import type { Wire } from './wire.ts'

export type ServersParts = {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly plan: Plan
  readonly plant: Plant
  readonly chance: Chance
  /** The run's: it outlives every process. */
  readonly time: Scope
  readonly rooms: readonly string[]
  readonly ledgerOf: (room: string) => Ledger
  readonly isCalm: () => boolean
  readonly onLayout: (layout: CheckpointLayout) => void
  readonly book: PastBook
}

/** A mishap, and how likely it is among all others. */
export type Mishap = readonly [weight: number, run: () => void]

/** How the deletion of a document ends for the process that is asked for it. */
export type DeletionEnd = 'well' | 'crash-before' | 'crash-after'

/** `wait`: lets the run go on for so long. */
export type DeletionCall = { readonly how: DeletionEnd; readonly wait: (ms: number) => Promise<void> }

/** Whose states each page is to be shown: everybody's, or of those on its own node; null: the bus is too bad for either. */
export type Shown = 'of-all' | 'of-the-node' | null

export type Servers = {
  /** What was written to all logs. */
  readonly truth: PastTruth
  /** Those that are there now: up, on their way up, or on their way down. */
  readonly all: readonly ServerProcess[]
  readonly watch: PageWatch
  /** Takes a connection to any of them, but for one that the page has just left. */
  accept(wire: Wire, document: string | null, page: string): void
  /** All end without a word to their stores; clients may be told. Each is started again. */
  crash(news: 'told' | 'silent'): void
  /** This process ends with the next step that its store takes for it, before it or after. */
  endWithNext(process: ServerProcess, end: Exclude<DeletionEnd, 'well'>): void
  /** It runs, and reaches its store. */
  isWell(process: ServerProcess): boolean
  /** All are stopped in order, and started again. */
  restart(): void
  /** The application deletes a document, as often as it takes. */
  delete(room: string, call: DeletionCall): Promise<void>
  /** The clientIDs of which the store has something in this document. */
  writersOf(room: string): ReadonlySet<number>
  /** For so long, what the servers say to one another is late. */
  delayTalk(ms: number): void
  /** What the servers say to one another arrives, or is again as it is planned to be. */
  talk(how: 'well' | 'as-planned'): void
  readonly shown: Shown
  /** How long it takes until presence is right, beyond what it takes within one server. */
  readonly presenceMs: number
  /** Whether both are on one node, or were last. */
  areTogether(page: string, other: string): boolean
  mishaps(chance: Chance): readonly Mishap[]
  /** Faults end. Resolves when all are up. */
  calm(): Promise<void>
  /** What the store has of every room, as a server that starts now would find it, holds all that is owed. */
  inspect(where: string): Promise<void>
}

/** For the parts of a process that all kinds of servers give it in the same way. */
export function processParts(parts: ServersParts, home: Home): ProcessParts {
  const { clock, plan, trace, plant, chance, isCalm, onLayout, book } = parts
  return { clock, plan, trace, plant, home, chance: chance.fork(), isCalm, onLayout, book }
}

export type Inspection = {
  readonly where: string
  /** What was written. */
  readonly truth: PastTruth
  /** Which moments of the past are looked at. */
  readonly chance: Chance
}

/** Throws when a store lacks something that is owed of a room. */
export async function inspectRooms(
  store: Pick<Store, 'load' | 'listSetAside'> & { readonly history?: PastParts['history'] },
  { rooms, ledgerOf, plan, trace, book }: ServersParts,
  { where, truth, chance }: Inspection
): Promise<void> {
  for (const room of rooms) {
    const loaded: LoadedDocument = await store.load(room)
    ledgerOf(room).check(storedUpdate(loaded), `${where}, ${room} in the store`)
    const setAside = await store.listSetAside(room)
    const unexpected = setAside.filter(({ reason }) => !reason.startsWith('this copy belongs'))
    if (loaded.damaged.length + unexpected.length > 0) throw new Error(`${where}: something was set aside`)
    const { history } = store
    if (plan.past === null || history === undefined) continue
    if (await checkPast({ history, room, loaded, truth, chance, where })) trace.count('histories looked at')
    const stored = await history.read(room)
    const manifest = stored === null ? null : decodeManifest(stored.manifest)
    book.check({ room, loaded, manifest, truth, where })
  }
}
