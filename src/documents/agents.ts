/**
 * Agents as collaborators: each is seen where it writes, writes at a pace, has a budget of its own, and all it did can be
 * taken back. Who may what was asked before.
 */
import { createHash } from 'node:crypto'
import type { Author } from '../../persistence/author.ts'
import { Budget } from '../base/budget.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Time } from '../base/time.ts'
import type { CursorMessage, EditQuestion } from '../editing/jobs.ts'
import type { DocumentHistories } from './document-histories.ts'
import type { EditOutcome } from './edit-api.ts'
import type { Edits } from './edits.ts'
import type { RestoreAnswer } from './history-api.ts'
import type { Leases } from './leases.ts'

/** `user`: whose token it has; null: the operator's. `owner`: of what it leases. */
export type Agent = {
  readonly name: string
  readonly model: string | null
  readonly user: string | null
  readonly owner: string
}

export type AgentEdit = {
  readonly document: string
  readonly question: EditQuestion
  readonly version: string | null
  readonly key: string | null
  readonly wordsPerSecond: number | null
  readonly signal: AbortSignal
}

type Parts = {
  readonly edits: Edits
  readonly leases: Leases
  /** Null: the store keeps no histories. */
  readonly histories: DocumentHistories | null
  readonly time: Time
  readonly limits: Limits
  readonly log: Log
}

/** What is known of an agent in a document: its last edit, and where the document was before the first of this session. */
type Session = { lastMs: number; before: number | null }

export class Agents {
  readonly #parts: Parts
  /** By agent; the least recently seen are forgotten. */
  readonly #budgets = new Map<string, Budget>()
  readonly #sessions = new Map<string, Session>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Stands in the log for all that the agent does, in whichever document and after a restart. */
  connectionOf({ name, user }: Agent): string {
    const hash = createHash('sha256')
      .update(JSON.stringify([user, name]))
      .digest('base64url')
    return `agent-${hash.slice(0, 16)}`
  }

  /** As `Edits.edit`; and ERR_TOO_OFTEN when the agent's budget is used up: then nothing was changed. */
  async edit(agent: Agent, asked: AgentEdit): Promise<EditOutcome> {
    const { edits, log, limits } = this.#parts
    const { document } = asked
    const connection = this.connectionOf(agent)
    this.#pay(connection, JSON.stringify(asked.question).length)
    await this.#beginSession(agent, document)
    const author: Author = { user: agent.user, connection, origin: 'agent' }
    const wordsPerSecond = Math.min(
      asked.wordsPerSecond ?? limits.agentWordsPerSecond,
      limits.agentWordsPerSecondMax
    )
    const onStep = (cursor: CursorMessage | null) => void this.#show(agent, document, cursor)
    const outcome = await edits.edit({ ...asked, author, wordsPerSecond, onStep })
    const { name: agentName, model, user } = agent
    log.info(
      { document, agent: true, agentName, model, user, connection, outcome: outcome.outcome },
      'an agent edited'
    )
    return outcome
  }

  /** Takes back what the agent did in this session; `isAll`: ever, as far as the history goes. */
  async undo(agent: Agent, document: string, { isAll }: { readonly isAll: boolean }): Promise<RestoreAnswer> {
    const { histories } = this.#parts
    if (histories === null) throw new Fault('ERR_NO_HISTORY', 'the store keeps no histories')
    const connection = this.connectionOf(agent)
    this.#pay(connection, 0)
    const { beginsAt } = await histories.questions.extent(document)
    const before = isAll ? null : (this.#sessions.get(nameOf(connection, document))?.before ?? null)
    const from = { sequence: Math.max(before ?? 0, beginsAt.sequence) }
    const options = agent.user === null ? {} : { author: agent.user }
    return histories.changes.undo(document, { connection, from }, options)
  }

  /** Called before anything of a tool is done. */
  pay(agent: Agent): void {
    this.#pay(this.connectionOf(agent), 0)
  }

  /** A version with a name, before the first edit after a pause: so that people find the way back. */
  async #beginSession(agent: Agent, document: string): Promise<void> {
    const { time, limits, histories } = this.#parts
    const key = nameOf(this.connectionOf(agent), document)
    const session = this.#sessions.get(key)
    const nowMs = time.nowMs()
    const isNew = session === undefined || nowMs - session.lastMs > limits.agentSessionMs
    const before = isNew && histories !== null ? await this.#name(agent, document, histories) : null
    this.#sessions.delete(key)
    this.#sessions.set(key, { lastMs: nowMs, before: isNew ? before : session.before })
    forget(this.#sessions, limits.agentsMax)
  }

  /** Null: the document has no history, or has no place for another name. */
  async #name(agent: Agent, document: string, { changes }: DocumentHistories): Promise<number | null> {
    try {
      const options = agent.user === null ? {} : { author: agent.user }
      const { sequence } = await changes.name(document, `before ${agent.name}`, options)
      return sequence
    } catch (error) {
      const isFine =
        error instanceof Fault && (error.code === 'ERR_NO_HISTORY' || error.code === 'ERR_TOO_MANY_VERSIONS')
      if (isFine) return null
      throw error
    }
  }

  async #show(agent: Agent, document: string, cursor: CursorMessage | null): Promise<void> {
    const { leases, limits, log } = this.#parts
    const { name, model, owner } = agent
    const place = cursor === null ? null : { anchor: cursor, head: cursor }
    const user = { name, color: '#7c3aed', colorLight: '#7c3aed33', agent: true, model }
    const id = this.connectionOf(agent)
    try {
      await leases.put(
        { document, id, owner },
        { state: { user, cursor: place }, ttlMs: limits.agentSeenMs, user: { id: agent.user ?? name, name } }
      )
    } catch (error) {
      // It writes all the same.
      log.debug({ document, error }, 'an agent could not be shown')
    }
  }

  #pay(connection: string, bytes: number): void {
    const { time, limits } = this.#parts
    const nowMs = time.nowMs()
    const rates = {
      messagesPerSecond: limits.agentCallsPerSecond,
      messagesMax: limits.agentCallsBurstMax,
      bytesPerSecond: limits.agentBytesPerSecond,
      bytesMax: limits.agentBytesBurstMax
    }
    const budget = this.#budgets.get(connection) ?? new Budget(rates, nowMs)
    this.#budgets.delete(connection)
    this.#budgets.set(connection, budget)
    forget(this.#budgets, limits.agentsMax)
    const owedMs = budget.owedMs(nowMs)
    if (owedMs > 0) throw new Fault('ERR_TOO_OFTEN', `the agent owes ${owedMs} ms`, { retryAfterMs: owedMs })
    budget.take(bytes, nowMs)
  }
}

function nameOf(connection: string, document: string): string {
  return JSON.stringify([connection, document])
}

function forget(map: Map<string, unknown>, max: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= max) break
    map.delete(oldest)
  }
}
