/** The public API: re-exports only. */
export type { Access, Attempt, Authorize, Grant, User } from './access/grant.ts'
export { Fault, type FaultCode, faults } from './errors.ts'
export { defaultLimits, type LimitName, type Limits } from './limits.ts'
export { createLog, type Log, type LogLevel } from './log.ts'
export { createServer, type Server, type ServerOptions } from './server.ts'
export type { Time } from './time.ts'
export type { OnStateless, StatelessMessage } from './transport/stateless.ts'
