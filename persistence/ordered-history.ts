/** The histories of the store over an ordered database: gives each call its place. */
import { checkBlobNumbers, checkList, checkRecordsAfter } from './arguments.ts'
import { encodeName } from './format.ts'
import type { HistoryRequest, HistoryResult, HistoryStore, StoredHistory } from './history.ts'
import { listHistories, readBlobs, readHistory, readUnreleased } from './history-reading.ts'
import { HistoryWrites } from './history-writing.ts'
import type { Session } from './session.ts'
import type { StoreParts } from './writing.ts'

export class OrderedHistories implements HistoryStore {
  readonly #session: Session
  readonly #writes: HistoryWrites

  constructor(parts: StoreParts) {
    this.#session = parts.session
    this.#writes = new HistoryWrites(parts)
  }

  read(document: string): Promise<StoredHistory | null> {
    return this.#session.operation(async () => {
      encodeName(document)
      return this.#session.read(database => readHistory(database, document))
    })
  }

  write(request: HistoryRequest): Promise<HistoryResult> {
    return this.#session.operation(() => this.#writes.write(request))
  }

  blobs(...[document, incarnation, numbers]: Parameters<HistoryStore['blobs']>) {
    return this.#session.operation(async () => {
      encodeName(document)
      checkBlobNumbers(numbers)
      return this.#session.read(database => readBlobs(database, { document, incarnation, numbers }))
    })
  }

  unreleased(...[document, incarnation, sequence, limits]: Parameters<HistoryStore['unreleased']>) {
    return this.#session.operation(async () => {
      checkRecordsAfter(document, sequence, limits)
      const query = { document, incarnation, sequence, limits }
      return this.#session.read(database => readUnreleased(database, query))
    })
  }

  drop(document: string, incarnation: string): Promise<boolean> {
    return this.#session.operation(async () => {
      encodeName(document)
      return this.#writes.drop(document, incarnation)
    })
  }

  list(options?: Parameters<HistoryStore['list']>[0]): Promise<readonly string[]> {
    return this.#session.operation(async () => {
      const page = checkList(options)
      return this.#session.read(database => listHistories(database, page))
    })
  }
}
