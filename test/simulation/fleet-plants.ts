/** Bugs that only several nodes can have, put in from outside, to see that the simulation finds them. */
import type { DocumentHead } from '../../persistence/store.ts'
import { Commits } from '../../src/room/commits.ts'
import { LogOrder } from '../../src/room/log-order.ts'
import type { Followed, Known, Nodes, Notice } from '../../src/room/nodes.ts'
import { SharedLog } from '../../src/room/shared-log.ts'
import type { Plant } from './plants.ts'

export const fleetPlants = {
  'what is not written yet is shown': {
    database: (database, time) => {
      const append = database.append.bind(database)
      database.append = batch => {
        const { onAppended } = database
        const before = database.stateNow()
        database.onAppended = () => {}
        const answers = append(batch)
        database.onAppended = onAppended
        database.goBack(before)
        time.after(50, () => void append(batch))
        return answers
      }
    }
  },
  'a record that is missing is not waited for': {
    nodes: nodes =>
      following(nodes, followed => ({
        heard: notice => {
          followed.heard({ ...notice, sequence: Math.min(notice.sequence, followed.known.visible + 1) })
        }
      }))
  },
  'who joins is answered from memory': {
    patch: () => {
      const { caughtUp } = SharedLog.prototype
      SharedLog.prototype.caughtUp = () => Promise.resolve()
      return () => {
        SharedLog.prototype.caughtUp = caughtUp
      }
    }
  },
  'a checkpoint is switched without comparing': {
    database: database => {
      // Who holds the lease seldom has a rival: a lease that does not hold leaves it all to the comparing.
      database.lease = () => true
      const { switchCheckpoint } = database
      database.switchCheckpoint = (request, attempt) => {
        const [head] = database.heads([request])
        return switchCheckpoint.call(
          database,
          { ...request, base: head?.generation ?? null, through: null },
          attempt
        )
      }
    }
  },
  'two attempts at a checkpoint have one number': {
    database: database => {
      // As above: two attempts at a time are rare while leases hold.
      database.lease = () => true
      const { beginCheckpoint } = database
      database.beginCheckpoint = request => {
        const { nextAttempt } = database
        database.nextAttempt = () => (request.base ?? 0) + 1
        const generation = beginCheckpoint.call(database, request)
        database.nextAttempt = nextAttempt
        return generation
      }
    }
  },
  'a document begins on each node': {
    database: database => {
      const { append } = database
      database.append = batch => {
        const entries = batch.entries.map(({ document, record, incarnation = null }) => {
          return { document, record, incarnation }
        })
        return append.call(database, { ...batch, entries })
      }
    }
  },
  'nobody notices that the store went back': {
    patch: () => {
      const { agrees, learned, appended } = LogOrder.prototype
      LogOrder.prototype.agrees = () => true
      LogOrder.prototype.learned = function (...call) {
        const result = learned.apply(this, call)
        return result === 'contradicted' ? 'repeated' : result
      }
      LogOrder.prototype.appended = function (...call) {
        const result = appended.apply(this, call)
        return result === 'contradicted' ? 'repeated' : result
      }
      return () => void Object.assign(LogOrder.prototype, { agrees, learned, appended })
    },
    nodes: nodes =>
      following(nodes, followed => ({
        headIs: (head, known) =>
          followed.headIs({ ...head, head: Math.max(head.head, followed.known.visible) }, known)
      }))
  },
  'a checkpoint is taken up before what it stands for is shown': {
    patch: () => {
      const { shownTo } = Commits.prototype
      Commits.prototype.shownTo = () => Promise.resolve()
      return () => {
        Commits.prototype.shownTo = shownTo
      }
    }
  },
  'a notice of a life that is over is believed': {
    nodes: nodes =>
      following(nodes, followed => ({
        heard: notice => {
          followed.headIs(headOf(notice, followed.known), followed.known)
          followed.heard(notice)
        }
      }))
  }
} as const satisfies Record<string, Plant>

export type FleetPlantName = keyof typeof fleetPlants

/** Nodes whose followers hear or are told something else. */
function following(nodes: Nodes, change: (followed: Followed) => Partial<Followed>): Nodes {
  return {
    node: nodes.node,
    announce: (document, notice) => nodes.announce(document, notice),
    announceChange: document => nodes.announceChange(document),
    freshHead: query => nodes.freshHead(query),
    sharePresence: (document, listener) => nodes.sharePresence(document, listener),
    follow: (document, followed) => {
      const changed = change(followed)
      return nodes.follow(document, {
        get known() {
          return followed.known
        },
        heard: changed.heard ?? (notice => followed.heard(notice)),
        changed: () => followed.changed(),
        headIs: changed.headIs ?? ((head, known) => followed.headIs(head, known))
      })
    }
  }
}

/** As if the store had said what the notice says. */
function headOf({ incarnation, sequence }: Notice, { visible }: Known): DocumentHead {
  return { incarnation, generation: 0, head: Math.max(sequence, visible), identity: null, floor: null }
}
