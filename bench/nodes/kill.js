/** SIGKILL of one of the nodes in mid-typing: what people there had seen, is it on another node? */
import { closeClients } from '../load/client.js'
import { delay } from '../load/pace.js'
import { openPair, storedOf } from '../scenarios/crash.js'

const rooms = 20
const perSecond = 20

/** `load.seconds`: for how long they type. Resolves to a line. */
export async function killed(name, { nodes, dialect, load }) {
  const [first, other] = nodes
  if (other === undefined) return `${name.padEnd(18)} has one node only`
  const open = []
  for (let i = 0; i < rooms; i++) open.push(await openPair({ port: first.port, dialect }, `kill-${i}`))
  const timers = open.map(({ type }) => setInterval(type, 1_000 / perSecond))
  await delay(load.seconds * 1_000)
  await first.kill()
  for (const timer of timers) clearInterval(timer)
  const total = { seen: 0, lost: 0, acked: 0, ackedLost: 0 }
  for (const { name: room, clientID, deliveries, acks } of open) {
    const [seen, acked] = [deliveries.count, acks.count]
    const text = { name: room, clientID, atLeast: Math.max(seen, acked) }
    const has = await storedOf({ port: other.port, dialect }, text)
    total.seen += seen
    total.lost += Math.max(0, seen - has)
    total.acked += acked
    total.ackedLost += Math.max(0, acked - has)
  }
  closeClients(open.flatMap(({ pair }) => pair))
  return `${name.padEnd(18)} ${total.lost} of ${total.seen} seen updates lost, ${total.ackedLost} of ${total.acked} acknowledged ones`
}
