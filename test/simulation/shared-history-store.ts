/** The histories of one node's store on the database that nodes share: see `shared-store.ts`. */
import {
  checkBlobNumbers,
  checkHistory,
  checkList,
  checkRecordsAfter,
  compareUtf8
} from '../../persistence/arguments.ts'
import { encodeName } from '../../persistence/format.ts'
import type { HistoryRequest, HistoryResult, HistoryStore, StoredHistory } from '../../persistence/history.ts'
import type { DatabaseLink } from './database-link.ts'
import type { SharedHistories } from './shared-histories.ts'

type Parts = {
  readonly histories: SharedHistories
  readonly link: DatabaseLink
  nextAttempt(): number
  /** Refuses what comes after the end of the store, and waits for what came before. */
  call<T>(work: () => Promise<T>): Promise<T>
}

export class SharedHistoryStore implements HistoryStore {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  read(document: string): Promise<StoredHistory | null> {
    return this.#ask(
      () => encodeName(document),
      histories => histories.read(document)
    )
  }

  write(request: HistoryRequest): Promise<HistoryResult> {
    return this.#parts.call(() => this.#write(request))
  }

  async #write(request: HistoryRequest): Promise<HistoryResult> {
    const { link, histories } = this.#parts
    checkHistory(request)
    const generation = await link.ask(() => histories.begin(request))
    if (generation === null) return { outcome: 'superseded' }
    for (const blob of request.blobs) await link.ask(() => histories.putBlob(generation, blob))
    const isWritten = await link.patiently(async tries => {
      if (await link.once(() => histories.switch(request, generation))) return true
      // The answer to an earlier try was lost.
      return tries > 0 && link.once(() => histories.isWritten(request.document, generation))
    })
    return isWritten ? { outcome: 'written', generation } : { outcome: 'superseded' }
  }

  blobs(...[document, incarnation, numbers]: Parameters<HistoryStore['blobs']>) {
    const check = () => {
      encodeName(document)
      checkBlobNumbers(numbers)
    }
    return this.#ask(check, histories => histories.blobs(document, incarnation, numbers))
  }

  unreleased(...[document, incarnation, sequence, limits]: Parameters<HistoryStore['unreleased']>) {
    return this.#ask(
      () => checkRecordsAfter(document, sequence, limits),
      histories => histories.unreleased(document, incarnation, { sequence, limits })
    )
  }

  drop(document: string, incarnation: string): Promise<boolean> {
    const { call, link, histories, nextAttempt } = this.#parts
    return call(async () => {
      encodeName(document)
      const number = await link.ask(nextAttempt)
      return link.ask(() => histories.drop(document, incarnation, number))
    })
  }

  async list(options?: Parameters<HistoryStore['list']>[0]): Promise<readonly string[]> {
    const names = await this.#ask(
      () => checkList(options),
      histories => histories.names()
    )
    const { after, limit } = checkList(options)
    const isLater = (name: string) => after === '' || compareUtf8(name, after) > 0
    return names.filter(isLater).sort(compareUtf8).slice(0, limit)
  }

  #ask<T>(check: () => void, statement: (histories: SharedHistories) => T | Promise<T>): Promise<T> {
    return this.#parts.call(async () => {
      check()
      return this.#parts.link.ask(() => statement(this.#parts.histories))
    })
  }
}
