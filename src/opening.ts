/**
 * What a server opens before its parts are built, and closes when they were taken down: the store, and the bus over which
 * servers on one store tell each other. What the application has opened itself stays the application's.
 */
import { hostname } from 'node:os'
import { type Bus, openBus, type SealedBus, sealBus } from '../bus/index.ts'
import { type Outlet, openOutlet } from '../outlets/index.ts'
import { directoryOfStore, openStore, type Store } from '../persistence/index.ts'
import { withLimits } from './base/limits.ts'
import type { Log } from './base/log.ts'
import { clusterIdentity } from './cluster/identity.ts'
import { onChangeName } from './hooks/on-change.ts'
import { loadForgets } from './hooks/seeds.ts'
import type { ServerOptions } from './options.ts'

export type Opened = {
  readonly store: Store
  /** Null: there is none, or no other server can be on the store. */
  readonly bus: SealedBus | null
  readonly outlets: readonly Outlet[]
  close(): Promise<void>
}

/** As the command's, so that both find the same documents. */
export const defaultDirectory = './chorus-data'

/** Whether other servers may write to the same documents. */
export function isShared({ store, data = defaultDirectory }: Pick<ServerOptions, 'store' | 'data'>): boolean {
  if (store !== undefined) return store.node !== ''
  return data !== ':memory:' && directoryOfStore(data) === null
}

/** How this server is called; null: it is alone, and nobody has given it a name. */
export function nodeNameOf(options: ServerOptions): string | null {
  return options.nodeName ?? (isShared(options) ? hostname().replaceAll(/[^\w.:@-]/g, '-') : null)
}

/** Throws TypeError for a bus between servers of which there can be only one. */
export function checkBus(options: ServerOptions): void {
  if (options.bus === undefined || isShared(options)) return
  const { store, data = defaultDirectory } = options
  const place = store === undefined ? `data is ${JSON.stringify(data)}` : 'store is a store of one server'
  throw new TypeError(
    `createServer: bus is for several servers on the same documents, and ${place}, which one server has at a time; ` +
      'data must be a postgres:// URL'
  )
}

/** Nothing is left open when it rejects: with StoreError, BusError, or ERR_INTERNAL for what the store has of its cluster. */
export async function open(options: ServerOptions, log: Log): Promise<Opened> {
  const closers: (() => Promise<void>)[] = []
  const close = async () => {
    const closed = await Promise.allSettled(closers.map(each => each()))
    for (const each of closed) if (each.status === 'rejected') throw each.reason
  }
  try {
    // First the one that needs nobody's answer: a wrong address is told of at once.
    const outlets = await outletsOf(options, closers)
    const bus = await busOf(options, log)
    if (bus !== null && bus !== options.bus) closers.push(() => bus.close())
    const store = await storeOf(options, log)
    if (store !== options.store) closers.push(() => store.close())
    return { store, bus: bus === null ? null : await sealed(bus, store, log), outlets, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Those of the application stay the application's. Rejects with an OutletError, and TypeError for two of one name. */
async function outletsOf(
  { outlets = [], outletSecret, limits }: ServerOptions,
  closers: (() => Promise<void>)[]
): Promise<readonly Outlet[]> {
  const { outletsMax } = withLimits(limits)
  if (outlets.length > outletsMax) throw new TypeError(`createServer: at most ${outletsMax} outlets`)
  const opened: Outlet[] = []
  for (const each of outlets) {
    const outlet =
      typeof each === 'string'
        ? await openOutlet(each, outletSecret === undefined ? {} : { secret: outletSecret })
        : each
    if (outlet !== each) closers.push(() => outlet.close())
    if (outlet.name === onChangeName || opened.some(({ name }) => name === outlet.name)) {
      throw new TypeError(
        `createServer: two outlets are called ${JSON.stringify(outlet.name)}; give one a name of its own`
      )
    }
    opened.push(outlet)
  }
  return opened
}

async function busOf(options: ServerOptions, log: Log): Promise<Bus | null> {
  const { bus = null } = options
  if (typeof bus !== 'string') return bus
  const onReport = (report: object) => log.warn({ report }, 'bus report')
  // Redis takes no space in it.
  return openBus(bus, { name: `y-chorus-${nodeNameOf(options)}`, onReport })
}

async function storeOf(options: ServerOptions, log: Log): Promise<Store> {
  if (options.store !== undefined) return options.store
  const { data = defaultDirectory } = options
  if (data === ':memory:' && options.load !== undefined) log.warn({}, loadForgets)
  return openStore(data, {
    durability: options.durability ?? 'sync',
    onReport: report => log.warn({ report }, 'store report')
  })
}

async function sealed(bus: Bus, store: Store, log: Log): Promise<SealedBus> {
  const { id, key } = await clusterIdentity(store)
  const onReport = (report: object) => log.warn({ report }, 'bus report')
  return sealBus({ bus, clusterId: id, nodeId: store.node, key, onReport })
}
