/** What an error of PostgreSQL, or of the way to it, means for whoever sent the statement. */
import { StoreError } from '../store.ts'

/**
 * `again`: the same statement may succeed soon; it may have been carried out already. `refused`: it was not carried out,
 * and would not be another time.
 */
export type FaultKind = 'again' | 'refused'

/** Conditions that end by themselves: PostgreSQL starts, stops, is full of connections, took too long, chose a victim. */
const passing = new Set([
  ...['57P01', '57P02', '57P03', '57014', '57P05', '53300', '53200', '53400'],
  ...['55P03', '40001', '40P01', '25006', '25P03', '25P04']
])

/** After these the connection is of no use, whatever the driver thinks: it leads to a server that is read-only or goes. */
const severing = new Set(['25006', '57P01', '57P02', '57P03'])

const codes = new Map([
  ['53100', 'STORE_FULL'],
  ['3D000', 'STORE_MISSING'],
  ['42501', 'STORE_UNWRITABLE'],
  ['28000', 'STORE_UNWRITABLE'],
  ['28P01', 'STORE_UNWRITABLE'],
  ['XX001', 'STORE_DAMAGED'],
  ['XX002', 'STORE_DAMAGED']
] as const)

/** The five letters that PostgreSQL gives an error, or null: it has not answered. */
export function sqlState(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as Error)
    ? code
    : null
}

export function faultKind(error: unknown): FaultKind {
  if (error instanceof StoreError) return 'refused'
  const state = sqlState(error)
  // No answer: the connection broke, was not made, or is silent.
  if (state === null) return 'again'
  return passing.has(state) || state.startsWith('08') ? 'again' : 'refused'
}

/** Whether the connection must not be used again. */
export function isSevered(error: unknown): boolean {
  const state = sqlState(error)
  return state === null || severing.has(state) || state.startsWith('08')
}

/** The statement is at fault, with what it was given, and not the state of the database. */
export function isOfContent(error: unknown): boolean {
  const state = sqlState(error)
  return state !== null && /^(22|23|54)/.test(state)
}

/** Names the fault by its code: a message of the driver may hold an address, one of PostgreSQL the content of a row. */
export function asPostgresError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const state = sqlState(error)
  if (state !== null) {
    const message = `PostgreSQL refused with ${state}: ${error instanceof Error ? error.message : ''}`
    return new StoreError(codes.get(state as never) ?? 'STORE_FAILED', message)
  }
  return new StoreError('STORE_FAILED', `PostgreSQL did not answer (${reasonOf(error)})`)
}

/** The driver has no codes for its own timeouts. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if ('code' in error && typeof error.code === 'string') return error.code
  if (/timeout/i.test(error.message)) return 'timeout'
  return /terminated|closed/i.test(error.message) ? 'connection ended' : error.name
}
