/**
 * Answers to edits with a key, so that the same question gets the same answer. It is memory only: after a restart, the
 * document still says whether the edit of a key was made.
 */
import { createHash } from 'node:crypto'
import { Fault } from '../base/errors.ts'
import type { EditCall, EditOutcome } from './edit-api.ts'

type Edited = Extract<EditOutcome, { readonly outcome: 'edited' }>

export class EditKeys {
  readonly #keysMax: number
  readonly #answers = new Map<string, { readonly asked: string; readonly answer: Edited }>()

  constructor({ editKeysMax }: { readonly editKeysMax: number }) {
    this.#keysMax = editKeysMax
  }

  /** Null: nothing is known of its key, or it has none. Throws ERR_KEY_REUSED. */
  find(call: EditCall): Edited | null {
    const { document, key } = call
    const found = key === null ? undefined : this.#answers.get(nameOf(document, key))
    if (found === undefined) return null
    if (found.asked !== questionOf(call)) throw new Fault('ERR_KEY_REUSED')
    return found.answer
  }

  add(call: EditCall, answer: Edited): void {
    const { document, key } = call
    if (key === null) return
    this.#answers.set(nameOf(document, key), { asked: questionOf(call), answer })
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= this.#keysMax) break
      this.#answers.delete(oldest)
    }
  }
}

function nameOf(document: string, key: string): string {
  return JSON.stringify([document, key])
}

function questionOf({ question, author }: EditCall): string {
  return createHash('sha256')
    .update(JSON.stringify([question, author.user]))
    .digest('base64')
}
