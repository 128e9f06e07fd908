/** How a question about a history, or a restore, that failed is counted. */
import { Fault, faults } from '../base/errors.ts'

/** What an HTTP answer would put on whoever asks, below 500, was refused. */
export function outcomeOf(error: unknown): 'refused' | 'cancelled' | 'failed' {
  if (!(error instanceof Fault)) return 'failed'
  if (error.code === 'ERR_CANCELLED') return 'cancelled'
  return faults[error.code].httpStatus < 500 ? 'refused' : 'failed'
}
