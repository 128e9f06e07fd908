/** The routes for those who have no copy of a document: edits of it, passages to edit, and presence for a time. */
import { z } from 'zod'
import { Fault, type FaultCode } from '../base/errors.ts'
import { parseJson } from '../base/json.ts'
import type { Limits } from '../base/limits.ts'
import type { Agents } from '../documents/agents.ts'
import type { EditOutcome, EditQuestion } from '../documents/edit-api.ts'
import type { Edits } from '../documents/edits.ts'
import type { Leases } from '../documents/leases.ts'
import type { Asker } from './askers.ts'
import * as schemas from './edit-schemas.ts'
import { json, type Reply } from './message.ts'
import { jsonBody, type Route, route } from './route.ts'
import { wrong } from './router.ts'
import { document } from './schemas.ts'

export type EditParts = {
  readonly edits: Edits
  readonly agents: Agents
  readonly leases: Leases
  readonly limits: Limits
}

const root = '/api/documents/*document'
const patchType = 'application/json-patch+json'
const editsType = 'application/vnd.chorus.edits+json'

const headers = { etag: 'The version, for `If-Match`.' }

const faults: readonly FaultCode[] = [
  'ERR_NO_DOCUMENT',
  'ERR_ANSWER_TOO_LARGE',
  'ERR_DEADLINE',
  'ERR_CANCELLED',
  'ERR_STORE',
  'ERR_DOCUMENT_DAMAGED'
]

export function editing(parts: EditParts): Route[] {
  return [passages(parts), patching(parts), showing(parts), hiding(parts)]
}

function passages({ edits }: EditParts): Route {
  return route({
    method: 'GET',
    path: `${root}/passages`,
    id: 'readPassages',
    group: 'Edits',
    says: 'Reads a document for an edit: as text, as an outline of blocks with anchors, or as JSON.',
    who: 'read',
    parameters: { document },
    query: schemas.readQuery,
    answers: {
      200: { says: 'What is on disk.', headers, content: { 'application/json': schemas.readAnswer } }
    },
    faults,
    reply: async ({ request, parameters: { document }, query }) => {
      const { form = 'outline', type = null, anchor = null } = query
      const answer = await edits.read(document, { form, type, anchor }, request.gone())
      if (answer === null) throw new Fault('ERR_NO_DOCUMENT')
      return bytes(answer)
    }
  })
}

/** The version in front of what the worker wrote, which is an object and not empty. */
function bytes({ version, json: body }: { readonly version: string; readonly json: Uint8Array }): Reply {
  const head = Buffer.from(`{"version":${JSON.stringify(version)},`)
  const headers = { ...json(200, null).headers, etag: `"${version}"` }
  return { status: 200, headers, body: Buffer.concat([head, body.subarray(1)]) }
}

const patchHeaders = {
  'if-match': z.string().optional().meta({
    description:
      'The version that was read. Refused with 412 if others have changed one of the passages since.'
  }),
  'idempotency-key': z.string().min(1).max(256).optional().meta({
    description: 'Asked again with the same key, it is made once.'
  }),
  agent: z.string().min(1).max(100).optional().meta({
    description: 'The name of an agent: it is seen where it writes, writes at a pace, and has a budget.'
  }),
  'agent-model': z.string().max(100).optional().meta({ description: 'The model of the agent, for the log.' })
}

function patching({ edits, agents, limits }: EditParts): Route {
  return route({
    method: 'PATCH',
    path: root,
    id: 'patchDocument',
    group: 'Edits',
    says: 'Edits texts, lists and maps of a document; all of it or nothing.',
    more: 'An edit is written only if no other change has met the same passage. The answer comes when it is on disk.',
    who: 'write',
    parameters: { document },
    headers: patchHeaders,
    body: {
      form: 'bytes',
      types: { [patchType]: schemas.jsonPatch, [editsType]: schemas.textEdits },
      bytesMax: limits.editBytesMax
    },
    answers: {
      200: { says: 'It is made, and on disk.', headers, content: { 'application/json': schemas.edited } },
      412: {
        says: 'Others have changed it; nothing was written.',
        headers,
        content: { 'application/json': schemas.stale }
      }
    },
    faults: [...faults, 'ERR_BAD_EDIT', 'ERR_KEY_REUSED', 'ERR_UPDATE_TOO_LARGE', 'ERR_TOO_OFTEN'],
    reply: async ({ request, parameters: { document }, headers, body, asker }) => {
      const question = questionOf(body.type, await body.bytes(), limits)
      const call = {
        ...{ document, question, version: versionIn(headers['if-match']) },
        ...{ key: headers['idempotency-key'] ?? null, wordsPerSecond: null, signal: request.gone() }
      }
      const { user, source } = askerOf(asker)
      const { agent: name, 'agent-model': model = null } = headers
      if (name !== undefined) {
        const agent = { name, model, user, owner: source }
        return replyOf(await agents.edit(agent, call), agents.connectionOf(agent))
      }
      const author = { user, connection: null, origin: 'server' } as const
      return replyOf(await edits.edit({ ...call, author }), null)
    }
  })
}

function replyOf(outcome: EditOutcome, connection: string | null): Reply {
  const { outcome: kind, ...rest } = outcome
  const body =
    kind === 'edited'
      ? { ...rest, connection }
      : { error: 'ERR_CHANGED', message: 'others have changed this passage; nothing was written', ...rest }
  const reply = json(kind === 'edited' ? 200 : 412, body)
  return { ...reply, headers: { ...reply.headers, etag: `"${outcome.version}"` } }
}

function questionOf(type: string, body: Uint8Array, limits: Limits): EditQuestion {
  const value = jsonOf(body, limits)
  const question: EditQuestion =
    type === patchType
      ? { kind: 'data', changes: parsed(schemas.jsonPatch, value) }
      : { kind: 'text', ...parsed(schemas.textEdits, value) }
  checkCount(question, limits)
  return question
}

function jsonOf(body: Uint8Array, { jsonDepthMax }: Limits): unknown {
  try {
    return parseJson(body, jsonDepthMax)
  } catch {
    throw wrong('the body is no JSON, or nests too deep')
  }
}

/** Throws ERR_BAD_MESSAGE above `editChangesMax`. */
export function checkCount(
  { changes }: EditQuestion,
  { editChangesMax }: Pick<Limits, 'editChangesMax'>
): void {
  if (changes.length > editChangesMax) throw wrong(`an edit has ${editChangesMax} changes at most`)
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const found = schema.safeParse(value)
  if (found.success) return found.data
  const [issue] = found.error.issues
  throw wrong(`${issue?.path.join('.') ?? 'the body'}: ${issue?.message ?? 'is not as described'}`)
}

function versionIn(header: string | undefined): string | null {
  if (header === undefined || header === '*') return null
  return header.replace(/^W\//, '').replace(/^"(.*)"$/, '$1')
}

function askerOf(asker: Asker | null): Asker {
  if (asker === null) throw new Fault('ERR_NOT_AUTHENTICATED')
  return asker
}

const id = z.string().min(1).max(100).meta({ description: 'A name that you choose.', example: 'bridge-1' })

function showing({ leases, limits }: EditParts): Route {
  return route({
    method: 'PUT',
    path: `${root}/presence/:id`,
    id: 'putPresence',
    group: 'Presence',
    says: 'Has a presence state seen by everybody in the document, until its time is over or it is put again.',
    who: 'read',
    parameters: { document, id },
    body: jsonBody(
      z.object({
        state: schemas.state,
        seconds: z
          .number()
          .min(1)
          .max(limits.leaseMsMax / 1000)
          .meta({ description: 'How long it is seen.' })
      })
    ),
    answers: {
      200: {
        says: 'It is seen.',
        content: {
          'application/json': z.object({
            id: z.string(),
            clientID: z.int().meta({ description: 'Under which awareness has it.' })
          })
        }
      }
    },
    faults: ['ERR_STORE', 'ERR_DOCUMENT_DAMAGED'],
    reply: async ({ parameters: { document, id }, body, asker }) => {
      const { user, source } = askerOf(asker)
      const lease = {
        state: body.state,
        ttlMs: body.seconds * 1000,
        user: user === null ? null : { id: user }
      }
      const clientID = await leases.put({ document, id, owner: source }, lease)
      return json(200, { id, clientID })
    }
  })
}

function hiding({ leases }: EditParts): Route {
  return route({
    method: 'DELETE',
    path: `${root}/presence/:id`,
    id: 'removePresence',
    group: 'Presence',
    says: 'Ends a presence state before its time.',
    who: 'read',
    parameters: { document, id },
    answers: {
      200: {
        says: 'It is seen no more; `isGone`: it was there.',
        content: { 'application/json': z.object({ isGone: z.boolean() }) }
      }
    },
    reply: ({ parameters: { document, id }, asker }) =>
      json(200, { isGone: leases.remove({ document, id, owner: askerOf(asker).source }) })
  })
}
