/**
 * The part of the contract about changes that somebody is to be told of: a document has a mark from the first such change
 * until all have been told. The mark is written with the change itself, so that no crash comes between them.
 */

/**
 * Where telling has come: everything up to `after` in this life has been taken up. `after` 0: nothing of this life has
 * been. `incarnation` null: that there is no document.
 */
export type MarkPlace = { readonly incarnation: string | null; readonly after: number }

/** What is known of a document's changes that have not been told of. */
export type ChangeMark = MarkPlace & {
  readonly document: string
  /** Kept for whoever tells; empty in a mark that a change has left. The caller's to keep. */
  readonly value: Uint8Array
}

/** Compare-and-set of one mark. */
export type MarkWrite = {
  /** As it was read. If the mark is another one by now, or gone, nothing is changed. */
  readonly present: ChangeMark
  /** Takes its place. Null: the mark goes, and only if the document stands exactly at `told`. */
  readonly next: Omit<ChangeMark, 'document'> | null
  /** In that life at that head, or not there, if `incarnation` is null. Absent: where `present` says. */
  readonly told?: MarkPlace
}

export type MarkListOptions = {
  /** Exclusive: the document of the last mark of the page before. */
  readonly after?: string
  readonly limit?: number
}

/**
 * Marks are left by `append` (`leavesMark`) and `delete` (`leavesMark`), in the same durable step and only where the
 * document has none: an append leaves where the head was before it, a deletion the life that it ended.
 */
export type MarkStore = {
  /** Null: there is none. */
  read(document: string): Promise<ChangeMark | null>
  /** In an order of the store's own, which stays the same. */
  list(options?: MarkListOptions): Promise<readonly ChangeMark[]>
  /**
   * Durable when resolved: true for each that was made. Each document is named once; all of them together cost one synced
   * write or few.
   */
  write(writes: readonly MarkWrite[]): Promise<boolean[]>
}
