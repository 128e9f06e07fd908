/** What `createServer` takes of the embedding application's own: functions that are called when something happens. */
import type { Outlet } from '../../outlets/outlet.ts'
import type { OnChange } from './on-change.ts'
import type { Load } from './seeds.ts'

export type HookOptions = {
  /**
   * What a document begins with, asked once when it is opened and the store has never had anything of it (or it was
   * deleted since). It is durable before any client sees `sync`. A call that throws, answers with something else than
   * a whole document, or takes longer than `loadTimeoutMs`, closes the clients with 1013; the next one asks again. Throwing
   * `NoSuchDocument` (4404) or `Refusal` is an answer: clients are told so.
   */
  readonly load?: Load
  /**
   * Told that a document has changed: `changeDebounceMs` after the last change, `changeMaxWaitMs` after the first,
   * before its room closes, and at `stop`. At most once at a time for each document. At least once for every change: a
   * call that throws, takes longer than `changeTimeoutMs`, or was cut off by a crash is made again, with the same `id`. A
   * notification and not the storage. See docs/feed.md.
   */
  readonly onChange?: OnChange
  /**
   * Who else is told, each by itself: an address (`https://…`, `amqp://…`, `kafka://…`, `nats://…`, `redis://…`), or an outlet
   * (`y-chorus/outlets`), which the server does not close. See docs/feed.md.
   */
  readonly outlets?: readonly (string | Outlet)[]
  /** Signs the events of webhooks among them: `whsec_` and base64 of 24 to 64 bytes. Several: all of them do. */
  readonly outletSecret?: string | readonly string[]
}
