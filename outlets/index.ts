/** The public API of outlets: re-exports only. */
export { type KafkaOutletOptions, type KafkaProducer, kafkaOutlet } from './kafka.ts'
export { type OpenOutletOptions, openOutlet } from './open.ts'
export type { OutletOptions } from './options.ts'
export {
  type Delivery,
  type DocumentEventType,
  documentEventTypes,
  type EventAuthor,
  type EventType,
  encodeEvent,
  type FeedEvent,
  type MemberEventType,
  memberEventTypes,
  type Outlet,
  OutletError
} from './outlet.ts'
export { type WebhookOutletOptions, webhookOutlet } from './webhook.ts'
