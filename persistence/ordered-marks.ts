/**
 * Marks of changes over an ordered database: `u` name, with where telling has come and what whoever tells keeps there.
 * All of them are written in turn with the appends, so what is known of a mark in memory is what lies in the database.
 */
import { checkList, checkMarkWrites } from './arguments.ts'
import {
  changeMarkKey,
  changeMarkRange,
  encodeName,
  encodePrefix,
  type Head,
  kinds,
  nameOfKey,
  numberAt,
  numbers,
  plain,
  seal,
  unsealOrThrow
} from './format.ts'
import type { ChangeMark, MarkListOptions, MarkPlace, MarkStore, MarkWrite } from './marks.ts'
import { isSameValue } from './metadata.ts'
import { collectRange, type Operation, type OrderedReader } from './ordered.ts'
import type { Session, Writer } from './session.ts'
import type { StoreParts } from './writing.ts'

/** Two numbers of 6 bytes stand in front of the value. */
const placeBytes = 12

export class OrderedMarks implements MarkStore {
  readonly #parts: StoreParts

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  read(document: string): Promise<ChangeMark | null> {
    return this.#session.operation(async () => {
      encodeName(document)
      return this.#session.read(database => readMark(database, document))
    })
  }

  list(options?: MarkListOptions): Promise<readonly ChangeMark[]> {
    return this.#session.operation(async () => {
      const { after, limit } = checkList(options)
      const query = { ...changeMarkRange(encodePrefix(after)), limit }
      const entries = await this.#session.read(database => collectRange(database, query))
      return entries.map(([key, value]) => decodeMark(key, value))
    })
  }

  write(writes: readonly MarkWrite[]): Promise<boolean[]> {
    return this.#session.operation(async () => {
      checkMarkWrites(writes)
      if (writes.length === 0) return []
      return this.#session.write(writer => this.#writeInTurn(writer, writes))
    })
  }

  async #writeInTurn(writer: Writer, writes: readonly MarkWrite[]): Promise<boolean[]> {
    const { heads } = this.#parts
    const operations: Operation[] = []
    const gone: string[] = []
    const made: boolean[] = []
    for (const { present, next, told = present } of writes) {
      const { document } = present
      const isMade =
        isSameMark(await readMark(writer, document), present) &&
        (next !== null || isToldOf(told, await heads.get(writer, document)))
      made.push(isMade)
      if (!isMade) continue
      operations.push(next === null ? removal(document) : putMark({ document, ...next }))
      if (next === null) gone.push(document)
    }
    if (operations.length > 0) await writer.batch(operations, 'synced')
    for (const document of gone) {
      const head = heads.cached(document)
      if (head !== undefined) heads.set(document, { ...head, isMarked: false })
    }
    return made
  }

  get #session(): Session {
    return this.#parts.session
  }
}

/** What a change writes beside its own: nothing where there is a mark already. `place`: before the change. */
export async function markOperations(
  reader: OrderedReader,
  document: string,
  place: MarkPlace
): Promise<Operation[]> {
  const present = await reader.get(changeMarkKey(encodeName(document)))
  return present === undefined ? [newMark(document, place)] : []
}

export function newMark(document: string, place: MarkPlace): Operation {
  return putMark({ document, ...place, value: new Uint8Array(0) })
}

/** Rejects with STORE_DAMAGED. */
async function readMark(reader: OrderedReader, document: string): Promise<ChangeMark | null> {
  const key = changeMarkKey(encodeName(document))
  const value = await reader.get(key)
  return value === undefined ? null : decodeMark(key, value)
}

/** An incarnation is never 0: that says there is no document. */
function putMark({ document, incarnation, after, value }: ChangeMark): Operation {
  const key = changeMarkKey(encodeName(document))
  const body = Buffer.concat([numbers(Number(incarnation ?? 0), after), value])
  return { type: 'put', key, value: seal(key, kinds.changeMark, body) }
}

function decodeMark(key: Buffer, stored: Buffer): ChangeMark {
  const document = nameOfKey(key)
  const what = `The mark of changes of document ${JSON.stringify(document)}`
  const body = unsealOrThrow(key, kinds.changeMark, stored, what)
  const incarnation = numberAt(body, 0)
  return {
    document,
    incarnation: incarnation === 0 ? null : String(incarnation),
    after: numberAt(body, 1),
    value: plain(body.subarray(placeBytes))
  }
}

function removal(document: string): Operation {
  return { type: 'del', key: changeMarkKey(encodeName(document)) }
}

export function isSameMark(found: ChangeMark | null, present: ChangeMark): boolean {
  if (found === null) return false
  const isSamePlace = found.incarnation === present.incarnation && found.after === present.after
  return isSamePlace && isSameValue(found.value, present.value)
}

function isToldOf({ incarnation, after }: MarkPlace, head: Head | null): boolean {
  if (head === null) return incarnation === null
  return String(head.incarnation) === incarnation && head.lastSequence === after
}
