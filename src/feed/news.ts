/** What there is to tell of a document: between where telling has come and where the document stands, and by whom it was. */
import type { DocumentEventType } from '../../outlets/outlet.ts'
import type { Author } from '../../persistence/author.ts'
import type { MarkPlace } from '../../persistence/marks.ts'
import type { DocumentHead, DocumentLog } from '../../persistence/store.ts'
import { decodeRecord } from '../document/record.ts'
import { versionOf } from '../document/version.ts'
import { keyOf } from './mark-state.ts'
import { unknownLife } from './process-marks.ts'

export type News = { readonly type: DocumentEventType; readonly version: string }

/** In the order in which it is to be told. What came and went without anybody having been told of it is no news. */
export function newsSince(place: MarkPlace, head: DocumentHead): News[] {
  const isUnknown = place.incarnation === unknownLife
  const gone: News = {
    type: 'document.deleted',
    version: versionOf({ incarnation: place.incarnation, head: place.after })
  }
  const wasTold = place.incarnation !== null && (place.after > 0 || isUnknown)
  if (head.incarnation === null) return wasTold ? [gone] : []
  const version = versionOf(head)
  if (isUnknown) return [{ type: 'document.changed', version }]
  if (place.incarnation !== head.incarnation) {
    return [...(wasTold ? [gone] : []), { type: 'document.created', version }]
  }
  if (head.head <= place.after) return []
  return [{ type: place.after === 0 ? 'document.created' : 'document.changed', version }]
}

export function placeOf({ incarnation, head }: DocumentHead): MarkPlace {
  return { incarnation, after: head }
}

type Records = {
  readonly store: Pick<DocumentLog, 'recordsAfter'>
  readonly limits: {
    readonly changeAuthorsMax: number
    readonly feedRecordsMax: number
    readonly feedRecordsBytesMax: number
  }
}

/**
 * Who is named in the records since then, as far as they are there: a checkpoint may have replaced some. What cannot be
 * read names nobody; it is reported when the document is opened.
 */
export async function authorsSince(
  { store, limits }: Records,
  document: string,
  { place, head }: { readonly place: MarkPlace; readonly head: DocumentHead }
): Promise<Author[]> {
  if (head.incarnation === null) return []
  const after = place.incarnation === head.incarnation ? place.after : 0
  const most = { records: limits.feedRecordsMax, bytes: limits.feedRecordsBytesMax }
  const read = await store.recordsAfter(document, head.incarnation, after, most)
  const authors = new Map<string, Author>()
  if (read.outcome !== 'records') return []
  for (const { record } of read.records) {
    for (const author of authorsIn(record)) authors.set(keyOf(author), author)
    if (authors.size >= limits.changeAuthorsMax) break
  }
  return [...authors.values()]
}

function authorsIn(record: Uint8Array): Author[] {
  try {
    return decodeRecord(record).flatMap(({ author }) => author ?? [])
  } catch {
    return []
  }
}
