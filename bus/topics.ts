/**
 * What a topic is called at a broker. Brokers give meaning to dots and stars, bound the length of names, and show them to
 * whoever may look: so it is a hash of the topic, behind a prefix that access rules can name.
 */
import { hash } from 'node:crypto'
import { bounds } from './bounds.ts'
import { BusError } from './bus.ts'

export const channelPrefix = 'y-chorus.'

/** The name of the topic's channel, subject or routing key. Throws BUS_ARGUMENT for what is no topic. */
export function channelOf(topic: string): string {
  checkTopic(topic)
  return channelPrefix + hash('sha256', topic, 'base64url')
}

export function checkTopic(topic: string): void {
  if (typeof topic !== 'string' || topic === '') {
    throw new BusError('BUS_ARGUMENT', 'A topic is a text that is not empty.')
  }
  if (Buffer.byteLength(topic) > bounds.topicBytesMax) {
    throw new BusError('BUS_ARGUMENT', `A topic has at most ${bounds.topicBytesMax} bytes.`)
  }
}
