/** The public API: re-exports only. */
export type { Author, Origin } from '../persistence/author.ts'
export type { Disconnected, Disconnection } from './access/disconnects.ts'
export type { Access, Attempt, Authorize, Grant, HistoryAccess, User } from './access/grant.ts'
export { type JwtKey, type JwtOptions, jwt } from './access/jwt.ts'
export type { Rechecked } from './access/passes.ts'
export type { Revocation, Whom } from './access/revocations.ts'
export { type WebhookOptions, webhook } from './access/webhook.ts'
export { Fault, type FaultCode, faults, NoSuchDocument, Refusal, type Retry } from './base/errors.ts'
export { defaultLimits, type LimitName, type Limits } from './base/limits.ts'
export { createLog, type Log, type LogLevel } from './base/log.ts'
export type { Time } from './base/time.ts'
export type { DocumentCalls } from './documents/api.ts'
export type { ApplyOptions, ListDocumentsOptions, ReadOptions } from './documents/documents.ts'
export type { Mutate } from './documents/edit.ts'
export type {
  ActivityAnswer,
  ActivityOptions,
  ContentsOptions,
  DifferenceOptions,
  DifferencePiece,
  DocumentDifferences,
  DocumentHistory,
  HistoryExtent,
  HistoryMoment,
  HistoryVersion,
  NameOptions,
  PruneAnswer,
  QuestionOptions,
  RestoreAnswer,
  RestoreOptions,
  TypeDifference,
  UndoQuestion
} from './documents/history-api.ts'
export type { DeadLetter, WhichLetter } from './feed/dead-letters.ts'
export type { HistoryRule } from './history/policy.ts'
export type { Change, OnChange } from './hooks/on-change.ts'
export type { HookOptions } from './hooks/options.ts'
export type { Load } from './hooks/seeds.ts'
export type { AcceptedWebSocket, Server, ServerOptions } from './options.ts'
export { createServer } from './server.ts'
export type { OnStateless, StatelessMessage } from './transport/stateless.ts'
