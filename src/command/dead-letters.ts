/**
 * `y-chorus dead-letters`: asks the running server, or, where none runs or several may, looks into the store itself. Without a
 * server a letter that is to be told again waits in its mark for the next one.
 */
import { type MarkStore, openStore } from '../../persistence/index.ts'
import { amendLetter, type DeadLetter, listLetters, type WhichLetter } from '../feed/stored-letters.ts'
import { askServer } from './asking.ts'

type Listed = { readonly letters: readonly DeadLetter[]; readonly isComplete: boolean }

/** A table for people. */
export async function listDeadLetters(data: string, lettersMax: number): Promise<string> {
  const { letters, isComplete } =
    (await askServer<Listed>(data, 'dead-letters/list', {})) ??
    (await inMarks(data, marks => listLetters(marks, lettersMax)))
  if (letters.length === 0) return 'there are no dead letters'
  const rows = letters.map(
    ({ document, outlet, type, version, at, deadAt, reason }) =>
      `${JSON.stringify(document)} ${JSON.stringify(outlet)}  ${type} ${version} of ${at}, given up ${deadAt}: ${JSON.stringify(reason)}`
  )
  return [...rows, ...(isComplete ? [] : ['… and more'])].join('\n')
}

/** Throws Error when there is no such letter. */
export async function changeDeadLetter(
  data: string,
  action: 'repeat' | 'drop',
  which: WhichLetter
): Promise<string> {
  const answer = await askServer(data, `dead-letters/${action}`, which)
  const isDone = answer !== null || (await inMarks(data, marks => amendLetter(marks, which, action)))
  if (!isDone)
    throw new Error(`there is no dead letter of ${JSON.stringify(which.document)} for ${which.outlet}`)
  const what = `${JSON.stringify(which.document)} for ${JSON.stringify(which.outlet)}`
  return action === 'drop' ? `removed ${what}` : `${what} is told again`
}

type Marks = MarkStore

async function inMarks<T>(data: string, work: (marks: Marks) => Promise<T>): Promise<T> {
  const store = await openStore(data, { create: false })
  try {
    if (store.marks === undefined) throw new Error('this store keeps no dead letters')
    return await work(store.marks)
  } finally {
    await store.close()
  }
}
