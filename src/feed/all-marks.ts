/** All marks of changes, a page at a time. */
import type { ChangeMark, MarkStore } from '../../persistence/marks.ts'

const pageLength = 500

export async function* allMarks(marks: Pick<MarkStore, 'list'>): AsyncGenerator<ChangeMark> {
  for (let after = ''; ; ) {
    const page = await marks.list(after === '' ? { limit: pageLength } : { limit: pageLength, after })
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < pageLength) return
    after = last.document
  }
}
