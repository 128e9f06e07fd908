/** Where a moment that gets a name stands: at which record, and when that was. */
import { recordHead } from '../document/record.ts'
import { knownMoment, type NamedMoment } from '../history/moments.ts'
import { packedChanges } from '../history/timeline.ts'
import type { HistoryView, HistoryViews } from './history-views.ts'

export type Place = { readonly sequence: number; readonly timeMs: number }

/** `named`: null: now. Throws ERR_NO_MOMENT and ERR_NO_VERSION. */
export async function placeOf(
  view: HistoryView,
  named: NamedMoment | null,
  views: Pick<HistoryViews, 'blob'>
): Promise<Place> {
  const moment = knownMoment(view, named ?? { sequence: view.head })
  const isWithin = (place: Place) =>
    'sequence' in moment ? place.sequence <= moment.sequence : place.timeMs <= moment.timeMs
  const last = lastUnsealed(view, isWithin) ?? (await lastSealed(view, isWithin, views))
  const { beginsAt } = view.manifest
  const timeMs = last?.timeMs ?? beginsAt.timeMs
  return 'sequence' in moment
    ? { sequence: moment.sequence, timeMs }
    : { sequence: last?.sequence ?? beginsAt.sequence, timeMs }
}

type IsWithin = (place: Place) => boolean

function lastUnsealed({ kept, records }: HistoryView, isWithin: IsWithin): Place | null {
  for (const { sequence, record } of records.toReversed()) {
    if (sequence <= kept.manifest.sealedTo) break
    const place = { sequence, timeMs: recordHead(record).timeMs }
    if (isWithin(place)) return place
  }
  return null
}

async function lastSealed(
  view: HistoryView,
  isWithin: IsWithin,
  views: Pick<HistoryViews, 'blob'>
): Promise<Place | null> {
  const { segments } = view.manifest
  const segment = segments.findLast(({ firstSequence, firstMs }) =>
    isWithin({ sequence: firstSequence, timeMs: firstMs })
  )
  if (segment === undefined) return null
  const change = packedChanges(await views.blob(view, segment.timeline))
  let last: Place | null = null
  while (change.next() && isWithin(change)) last = { sequence: change.sequence, timeMs: change.timeMs }
  return last
}
