/**
 * Looks at each checkpoint that a room of one of several nodes takes up: members must have been shown all that it stands for
 * (ADR 25). Clients seldom see the difference, so the room itself is looked at.
 */
import { Commits } from '../../src/room/commits.ts'
import { Violation } from './trace.ts'

/** Until the returned function is called. */
export function watchAdoptions(fail: (error: unknown) => void): () => void {
  const { compacted } = Commits.prototype
  Commits.prototype.compacted = function (checkpoint) {
    const { sequence } = checkpoint
    if (sequence > this.shownSequence)
      fail(new Violation(`a room that shows ${this.shownSequence} takes up a checkpoint of ${sequence}`))
    compacted.call(this, checkpoint)
  }
  return () => {
    Commits.prototype.compacted = compacted
  }
}
