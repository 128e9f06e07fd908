/** Structured logs, one JSON object a line. The only place that imports pino. */
import { pino } from 'pino'

export const logLevels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof logLevels)[number]

type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void

/** What the server needs of a logger; a pino logger is one. Document contents and tokens never go in. */
export type Log = {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

/** Where lines go: a stream, for example. */
export type LogDestination = { write(line: string): unknown }

/** Writes to standard output unless told otherwise. Errors go under the key `error`, with their causes. */
export function createLog(level: LogLevel, destination?: LogDestination): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.errWithCause }
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

/** Logs the same with these fields in every line. */
export function withFields(log: Log, fields: Readonly<Record<string, unknown>>): Log {
  return {
    debug: (more, message) => log.debug({ ...fields, ...more }, message),
    info: (more, message) => log.info({ ...fields, ...more }, message),
    warn: (more, message) => log.warn({ ...fields, ...more }, message),
    error: (more, message) => log.error({ ...fields, ...more }, message)
  }
}
