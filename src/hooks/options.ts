/** What `createServer` takes of the embedding application's own: functions that are called when something happens. */
import type { OnChange } from './changes.ts'
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
   * before its room closes, and at `stop`. At most once at a time for each document. A notification and not the
   * storage: after a crash the last changes are in the document, and may not have been told of. A call that throws or
   * takes longer than `changeTimeoutMs` costs a line in the log.
   */
  readonly onChange?: OnChange
}
