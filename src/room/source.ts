/** Whose an update is that a room takes, and on which condition. */
import type { Author } from '../../persistence/author.ts'
import type { LoggedUpdate } from '../document/record.ts'
import type { Member } from './member.ts'
import type { Watch } from './watches.ts'

/** Where an update comes from. `member` is not sent back what it sent. */
export type Source = { readonly author: Author; readonly member: Member | null }

/**
 * `settled`: of what was computed from a state. It gets a record of its own, so that the document before it is a moment of
 * its history, and is told the number of that.
 */
export type Accepted = Source & LoggedUpdate & { readonly settled?: (sequence: number) => void }

/**
 * Whose it is, and when it may be committed: while the restores are as many as were `seen` before the state was read that
 * it was computed from, or while what was watched since then has not touched it.
 */
export type RestoreSource = { readonly author: Author } & (
  | { readonly seen: number }
  | { readonly watch: Watch }
)
