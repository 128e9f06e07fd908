/** One of several nodes: its process, which comes and goes, its store and its place on the bus. */
import { type MemoryBroker, type SealedBus, sealBus } from '../../bus/index.ts'
import type { Store } from '../../persistence/store.ts'
import type { Log } from '../../src/base/log.ts'
import type { Metrics } from '../../src/base/metrics.ts'
import { Calls } from '../../src/cluster/calls.ts'
import { Cluster } from '../../src/cluster/cluster.ts'
import type { Followed, Nodes } from '../../src/room/nodes.ts'
import type { Plan } from './plan.ts'
import type { Membership, SharedRights } from './server-process.ts'
import type { Scope } from './virtual-time.ts'

/** Times of a bus, which are those of its node, and how many are pending: messages on their way to it. */
type BusTime = Pick<Scope, 'after'> & { readonly pending: number }

const clusterId = 'simulation'
const key = new Uint8Array(32).fill(7)

/** A document that is open on a node, as long as its room follows the log. */
export type Following = { readonly document: string; readonly followed: Followed; readonly sinceMs: number }

type Parts = {
  readonly time: Scope
  readonly limits: Plan['limits']
  readonly metrics: Metrics
  readonly log: Log
  /** What a plant makes of what stands between rooms and other nodes. */
  readonly changed: (nodes: Nodes) => Nodes
}

/** A process among the others, and what its rooms follow. */
export class Member implements Membership {
  readonly nodes: Nodes
  readonly following = new Map<string, Following>()
  readonly #cluster: Cluster
  readonly #busTime: BusTime
  readonly #close: () => void
  readonly #sealed: SealedBus
  readonly #log: Log
  #calls: Calls | null = null

  constructor(name: string, broker: MemoryBroker, { store, ...parts }: Parts & { readonly store: Store }) {
    const { time, limits, metrics, log, changed } = parts
    this.#busTime = busTimeOf(time)
    const bus = broker.connect(name, { time: this.#busTime })
    const sealed = sealBus({ bus, clusterId, nodeId: store.node, key })
    this.#sealed = sealed
    this.#log = log
    this.#cluster = new Cluster({ store, bus: sealed, time, limits, metrics, log })
    this.#close = () => void bus.close()
    this.nodes = this.#watched(changed(this.#cluster), time)
  }

  get arriving(): number {
    return this.#busTime.pending
  }

  shareRights({ learn, shareWith }: SharedRights): void {
    const calls = new Calls(
      { bus: this.#sealed, log: this.#log },
      { rightsChanged: learn, stateless: () => {}, disconnect: () => {} }
    )
    this.#calls = calls
    shareWith(whom => calls.rightsChanged(whom))
    this.#cluster.eachPoll(() => learn([]))
  }

  close(): void {
    this.#calls?.close()
    this.#cluster.close()
  }

  lose(): void {
    this.following.clear()
    this.#close()
  }

  #watched(nodes: Nodes, time: Scope): Nodes {
    return {
      node: nodes.node,
      follow: (document, followed) => {
        const following = { document, followed, sinceMs: time.nowMs() }
        this.following.set(document, following)
        const end = nodes.follow(document, followed)
        return () => {
          if (this.following.get(document) === following) this.following.delete(document)
          end()
        }
      },
      announce: (document, notice) => nodes.announce(document, notice),
      announceChange: document => nodes.announceChange(document),
      freshHead: query => nodes.freshHead(query),
      sharePresence: (document, listener) => nodes.sharePresence(document, listener)
    }
  }
}

function busTimeOf(time: Scope): BusTime {
  let pending = 0
  return {
    get pending() {
      return pending
    },
    after: (delayMs, run) => {
      pending++
      let isPending = true
      const over = () => {
        if (isPending) pending--
        isPending = false
      }
      const cancel = time.after(delayMs, () => {
        over()
        run()
      })
      return () => {
        over()
        cancel()
      }
    }
  }
}
