/** The one timer that keeps all connections alive, or finds that they are not. */
import type { Limits } from '../base/limits.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Connection } from './connection.ts'

/** Starts the timer; the returned function stops it. */
export function startHeartbeat(
  connections: ReadonlySet<Connection>,
  { time, limits, metrics }: { time: Time; limits: Limits; metrics: Metrics }
): Cancel {
  let cancel: Cancel
  const beat = () => {
    let queuedBytes = 0
    for (const connection of connections) {
      queuedBytes += connection.queuedBytes
      connection.beat(limits.heartbeatMs)
    }
    metrics.outboxMeasured(queuedBytes)
    cancel = time.after(limits.heartbeatMs, beat)
  }
  cancel = time.after(limits.heartbeatMs, beat)
  return () => cancel()
}
