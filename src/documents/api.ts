/** The calls of a server about documents: the embedding application's side of src/documents/. */
import type { ApplyOptions, DeleteOptions, ListDocumentsOptions, ReadOptions } from './documents.ts'
import type { Mutate } from './edit.ts'
import type { DocumentHistory } from './history-api.ts'

/**
 * All reject with a Fault: ERR_ROOM_NAME for what is no document's name, ERR_STORE or ERR_DOCUMENT_DAMAGED when the
 * store fails, ERR_OVERLOADED when too many calls wait, ERR_GOING_DOWN while the server does not run or stops.
 */
export type DocumentCalls = {
  /**
   * The durable document as one Yjs V1 update, which is the caller's; null when nothing was ever written to it. Opens
   * no room, and does not call `load`. O(document); a large one is put together in the worker thread. Rejects with
   * ERR_BAD_MESSAGE when the state vector is none.
   */
  read(document: string, options?: ReadOptions): Promise<Uint8Array | null>
  /**
   * Commits an update as if a client had sent it; resolves when it is durable and has been sent to all clients, or
   * when the document holds it already. The array is copied. Rejects with ERR_UPDATE_MALFORMED or ERR_UPDATE_TOO_LARGE
   * (nothing has happened), and otherwise with what ended the document's room: then it may be there or not, and
   * applying it again is right. Update and deletions that hang on what is not there yet wait in the document for it.
   */
  apply(document: string, update: Uint8Array, options?: ApplyOptions): Promise<void>
  /**
   * Runs the function on a Y.Doc with the durable document, and applies what it changed. One at a time for a document, so
   * what it reads is not changed by another `change` before it writes. The function is done when it returns; what it
   * throws rejects, and nothing is applied. Loads the whole document on the event loop: for large documents, or many
   * changes a second, keep a Y.Doc of your own and `apply` its updates. Rejects with ERR_DEADLINE, and has not called the
   * function, when a worker shows that the document takes longer to load than one of its size should.
   */
  change(document: string, mutate: Mutate, options?: ApplyOptions): Promise<void>
  /** The names of all stored documents in the order of their UTF-8 bytes, a page at a time if `limit` is given. */
  documents(options?: ListDocumentsOptions): Promise<readonly string[]>
  /**
   * Closes the document's clients (4404) and removes it from the store; false when it was not there. Updates that were
   * set aside stay. What the document knew is kept as a tombstone: a client that comes back with its copy is refused
   (4410), and the copy is set aside. `{ copies: 'welcome' }` removes the tombstone too, also of a document that is gone.
   */
  delete(document: string, options?: DeleteOptions): Promise<boolean>
  /**
   * The past of a document, if the option `history` names it: see `DocumentHistory`. Reads nothing yet. Throws
   * ERR_ROOM_NAME, ERR_NO_HISTORY when the store keeps no histories, and ERR_GOING_DOWN.
   */
  history(document: string): DocumentHistory
}
