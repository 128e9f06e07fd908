/** What is counted of the change feed, by outlet: their number is bounded, that of documents is not. */
import { Counter, Gauge, type Registry } from 'prom-client'

/** An outlet now: documents of which it is to be told, and how long the oldest event waits. */
export type FeedReading = {
  readonly outlet: string
  readonly waiting: number
  readonly oldestSeconds: number
}

export function createFeedMeters(registry: Registry, read: () => readonly FeedReading[]) {
  const deliveries = new Counter({
    name: 'chorus_feed_deliveries_total',
    help: 'Events of the change feed, by outlet and outcome; dead: given up and kept',
    labelNames: ['outlet', 'outcome'],
    registers: [registry]
  })
  const gauge = (name: string, help: string, of: (reading: FeedReading) => number) => {
    const collect = function (this: Gauge<'outlet'>) {
      for (const reading of read()) this.set({ outlet: reading.outlet }, of(reading))
    }
    new Gauge({ name: `chorus_feed_${name}`, help, labelNames: ['outlet'], registers: [registry], collect })
  }
  gauge('waiting_documents', 'Documents of which an outlet is still to be told', ({ waiting }) => waiting)
  gauge(
    'oldest_seconds',
    'Age of the oldest event that an outlet was not told of',
    ({ oldestSeconds }) => oldestSeconds
  )
  return { delivered: (outlet: string, outcome: string) => deliveries.inc({ outlet, outcome }) }
}
