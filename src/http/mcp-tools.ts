/** What agents can call over MCP, with sentences for models: each is one call of ours, and what it refuses is an answer. */
import { z } from 'zod'
import { toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Agent, Agents } from '../documents/agents.ts'
import type { DocumentHistories } from '../documents/document-histories.ts'
import type { Documents } from '../documents/documents.ts'
import type { EditQuestion } from '../documents/edit-api.ts'
import type { Edits } from '../documents/edits.ts'
import type { Asker, Askers, Needed } from './askers.ts'
import * as schemas from './edit-schemas.ts'
import { checkCount } from './edits.ts'
import type { Request } from './message.ts'

export type ToolParts = {
  readonly askers: Askers
  readonly agents: Agents
  readonly edits: Edits
  readonly documents: Documents
  /** Null: the store keeps no histories. */
  readonly histories: DocumentHistories | null
  readonly limits: Limits
}

/** Who calls, as the client of MCP says: its name and version. */
export type Caller = { readonly name: string; readonly model: string | null }

export type Tool = {
  readonly name: string
  readonly says: string
  readonly isReading: boolean
  readonly input: z.ZodObject
  readonly run: (input: never, call: ToolCall) => Promise<unknown>
}

export type ToolCall = {
  readonly request: Request
  readonly caller: Caller
  readonly signal: AbortSignal
}

/** As a tool answers: what the model reads, and whether it was refused. */
export type ToolAnswer = { readonly text: string; readonly isError: boolean }

const document = z.string().min(1).describe('The name of the document')
const version = z
  .string()
  .optional()
  .describe(
    'The version that read_document or your last edit gave. Others’ changes of the passage since are not overwritten'
  )
const agent = z.string().min(1).max(100).optional().describe('The name under which people see you')
function wordsPerSecondIn({ agentWordsPerSecond, agentWordsPerSecondMax }: Limits) {
  return z
    .number()
    .min(1)
    .max(agentWordsPerSecondMax)
    .optional()
    .describe(`How fast the text appears; ${agentWordsPerSecond} if you do not say`)
}

/** A tool whose input has been checked by its schema. */
function tool<S extends z.ZodObject>(made: {
  readonly name: string
  readonly says: string
  readonly isReading: boolean
  readonly input: S
  readonly run: (input: z.output<S>, call: ToolCall) => Promise<unknown>
}): Tool {
  return made as unknown as Tool
}

/** Runs a tool. A Fault is an answer that the model can act on. */
export async function answerOf(work: () => Promise<unknown>): Promise<ToolAnswer> {
  try {
    return { text: JSON.stringify(await work()), isError: false }
  } catch (error) {
    const { code, publicReason } = toFault(error)
    return { text: JSON.stringify({ error: code, message: publicReason }), isError: true }
  }
}

export function tools(parts: ToolParts): Tool[] {
  return [listDocuments(parts), readDocument(parts), editText(parts), editData(parts), ...pastTools(parts)]
}

async function agentOf(
  { askers }: ToolParts,
  { request, caller }: ToolCall,
  asked: { readonly document: string; readonly agent?: string | undefined; readonly needed: Needed }
): Promise<{ readonly agent: Agent; readonly asker: Asker }> {
  const asker = await askers.askerOf(request, asked.document, asked.needed)
  const { user, source } = asker
  return { asker, agent: { name: asked.agent ?? caller.name, model: caller.model, user, owner: source } }
}

function listDocuments(parts: ToolParts): Tool {
  const { documents, askers } = parts
  return tool({
    name: 'list_documents',
    says: 'Lists documents by name, those that you may read.',
    isReading: true,
    input: z.object({
      prefix: z.string().optional().describe('What the names begin with'),
      after: z.string().optional().describe('The last name of the page before'),
      limit: z.int().min(1).max(100).optional().describe('How many to look at: 50 if you do not say')
    }),
    run: async ({ limit = 50, ...options }, { request }) => {
      const names = await documents.list({ ...given(options), limit })
      const isOperator = askers.operator(request) !== null
      const allowed: string[] = []
      for (const name of names) {
        const isAllowed = isOperator || (await askers.askerOf(request, name, 'read').then(yes, no))
        if (isAllowed) allowed.push(name)
      }
      return { documents: allowed, next: names.length === limit ? (names.at(-1) ?? null) : null }
    }
  })
}

function readDocument(parts: ToolParts): Tool {
  return tool({
    name: 'read_document',
    says:
      'Reads a document. `outline` gives its blocks with anchors, `text` its plain text, `json` all of its data. ' +
      'Give the version to your next edit.',
    isReading: true,
    input: z.object({ document, ...schemas.readQuery }),
    run: async ({ document, form = 'outline', type = null, anchor = null }, call) => {
      await agentOf(parts, call, { document, needed: 'read' })
      const answer = await parts.edits.read(document, { form, type, anchor }, call.signal)
      if (answer === null) return { document: null, message: 'there is no such document, text or block' }
      return { version: answer.version, ...(JSON.parse(Buffer.from(answer.json).toString()) as object) }
    }
  })
}

function editText(parts: ToolParts): Tool {
  return tool({
    name: 'edit_text',
    says:
      'Edits a text: replace, delete or insert at an exact quote. If somebody changed the passage since your version, ' +
      'nothing is written, and the answer has the passage as it is now and who changed it: read it, and decide anew.',
    isReading: false,
    input: z.object({
      ...{ document, agent, version, wordsPerSecond: wordsPerSecondIn(parts.limits) },
      ...schemas.textEdits.shape
    }),
    run: async ({ type, changes, ...input }, call) =>
      edit(parts, call, { ...input, question: { kind: 'text', type, changes } })
  })
}

function editData(parts: ToolParts): Tool {
  return tool({
    name: 'edit_data',
    says: 'Edits maps and lists by a JSON Patch. The first part of a path names a root type.',
    isReading: false,
    input: z.object({ document, agent, version, patch: schemas.jsonPatch }),
    run: async ({ patch, ...input }, call) =>
      edit(parts, call, { ...input, question: { kind: 'data', changes: patch } })
  })
}

async function edit(
  parts: ToolParts,
  call: ToolCall,
  input: {
    readonly document: string
    readonly agent?: string | undefined
    readonly version?: string | undefined
    readonly wordsPerSecond?: number | undefined
    readonly question: EditQuestion
  }
): Promise<unknown> {
  const { document, question, version = null, wordsPerSecond = null } = input
  checkCount(question, parts.limits)
  const { agent } = await agentOf(parts, call, { document, agent: input.agent, needed: 'write' })
  const asked = { document, question, version, key: null, wordsPerSecond, signal: call.signal }
  return parts.agents.edit(agent, asked)
}

function pastTools(parts: ToolParts): Tool[] {
  const { histories, agents } = parts
  if (histories === null) return []
  return [
    tool({
      name: 'history',
      says: 'Who worked on a document when, and its named versions.',
      isReading: true,
      input: z.object({ document, limit: z.int().min(1).max(200).optional() }),
      run: async ({ document, limit = 50 }, call) => {
        await agentOf(parts, call, { document, needed: 'history' })
        const past = histories.of(document)
        const { bursts } = await past.activity({ limit, signal: call.signal })
        return { activity: bursts, versions: await past.versions() }
      }
    }),
    tool({
      name: 'restore_point',
      says: 'Names the document as it is now, so that people can come back to it.',
      isReading: false,
      input: z.object({ document, agent, name: z.string().min(1).max(200) }),
      run: async ({ document, name, ...input }, call) => {
        const { agent } = await agentOf(parts, call, { document, agent: input.agent, needed: 'restore' })
        agents.pay(agent)
        return histories.changes.name(document, name, agent.user === null ? {} : { author: agent.user })
      }
    }),
    tool({
      name: 'undo_mine',
      says: 'Takes back what you did in this session, wherever others have gone on since.',
      isReading: false,
      input: z.object({ document, agent, all: z.boolean().optional().describe('Also of earlier sessions') }),
      run: async ({ document, all = false, ...input }, call) => {
        const { agent } = await agentOf(parts, call, { document, agent: input.agent, needed: 'write' })
        return agents.undo(agent, document, { isAll: all })
      }
    })
  ]
}

function given<T extends object>(options: T): Partial<{ [K in keyof T]: NonNullable<T[K]> }> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}

const yes = () => true
const no = () => false
