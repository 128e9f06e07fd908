/** The routes that read documents: lists, contents in each form, and who is there. */
import { z } from 'zod'
import { Fault, type FaultCode } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { RemoteDocuments, Versioned, Wanted } from '../documents/remote-documents.ts'
import { rootTypes } from './history-query.ts'
import { json, type Reply, type Request } from './message.ts'
import { type Route, route } from './route.ts'
import { anyJson, count, document, versionText, wholeNumber } from './schemas.ts'

export type DocumentParts = { readonly remote: RemoteDocuments; readonly limits: Limits }

export const documentPath = '/api/documents/*document'

export const group = 'Documents'

/** Of a document that is read. */
export const readFaults: readonly FaultCode[] = [
  'ERR_NO_DOCUMENT',
  'ERR_DELETED',
  'ERR_STORE',
  'ERR_DOCUMENT_DAMAGED',
  'ERR_OVERLOADED'
]

export const tagHeader = {
  etag: 'The version, in quotes. Sent back as If-None-Match, it asks only for what has changed.'
}

const present = z.object({
  user: z.string().nullable().meta({ description: 'Null: nobody signed in.' }),
  connection: z.string(),
  access: z.enum(['read', 'write'])
})

const listed = z.object({
  name: z.string(),
  version: versionText.nullable(),
  bytes: count('Null where it is not open on this server: it would have to be read.').nullable(),
  people: z.array(present).nullable().meta({ description: 'Who has it open on this server.' })
})

const page = z.object({
  documents: z.array(listed),
  next: z
    .string()
    .nullable()
    .meta({ description: 'As `after`, it asks for the next page. Null: this was the last.' })
})

const presence = z.object({
  people: z.array(present).meta({ description: 'Connections of this server that have it open.' }),
  states: z.array(z.object({ clientId: z.number(), state: anyJson })).meta({
    description: 'What they and those of other servers show of themselves: awareness states of Yjs.'
  })
})

export function documentReading(parts: DocumentParts): Route[] {
  return [listing(parts), reading(parts), presenceOf(parts)]
}

function listing({ remote, limits }: DocumentParts): Route {
  return route({
    method: 'GET',
    path: '/api/documents',
    id: 'listDocuments',
    group,
    says: 'Lists the stored documents, by name.',
    who: 'operator',
    query: {
      prefix: z.string().optional().meta({ description: 'What the names begin with.', example: 'team/' }),
      after: z.string().optional().meta({ description: 'The last name of the page before.' }),
      limit: wholeNumber({ max: limits.listMax, description: 'How many. Without it: 100.' })
    },
    answers: { 200: { says: 'A page.', content: { 'application/json': page } } },
    faults: ['ERR_STORE', 'ERR_OVERLOADED'],
    reply: async ({ query: { prefix = '', after, limit = 100 } }) => {
      // One more than is asked for says whether there is another page.
      const asked = { prefix, limit: limit + 1, ...(after === undefined ? {} : { after }) }
      const found = await remote.list(asked)
      const documents = found.slice(0, limit)
      return json(200, { documents, next: found.length > limit ? (documents.at(-1)?.name ?? null) : null })
    }
  })
}

const forms = ['application/octet-stream', 'application/json', 'text/plain'] as const

function reading({ remote }: DocumentParts): Route {
  return route({
    method: 'GET',
    path: documentPath,
    id: 'readDocument',
    group,
    says: 'Gives what is durable of a document, in the form that Accept asks for.',
    more:
      'As an update of Yjs for whoever takes anything. As JSON: the root types that `types` names, or all that have something ' +
      'in them, each taken for what is in it; a text comes as its delta, XML as text. As text: the root type `type`.',
    who: 'read',
    parameters: { document },
    query: {
      encoding: z
        .enum(['v1', 'v2'], 'must be v1 or v2')
        .optional()
        .meta({ description: 'Of the update. Without it: v1.' }),
      stateVector: z
        .string()
        .regex(/^[\w+/=-]*$/, 'must be base64 or base64url')
        .optional()
        .meta({ description: 'Base64 of `Y.encodeStateVector`: the update has only what is lacking there.' }),
      types: rootTypes,
      type: z.string().min(1).optional().meta({ description: 'The root type, for text.', example: 'body' })
    },
    headers: {
      accept: z
        .string()
        .optional()
        .meta({ description: `One of ${forms.join(', ')}.` }),
      'if-none-match': z.string().optional().meta({ description: 'The ETag of an earlier answer.' })
    },
    answers: {
      200: {
        says: 'The document.',
        content: {
          [forms[0]]: 'A Yjs update.',
          [forms[1]]: z.record(z.string(), anyJson),
          [forms[2]]: 'The text.'
        },
        headers: tagHeader
      },
      304: { says: 'It is at that version.', headers: tagHeader }
    },
    faults: [...readFaults, 'ERR_NOT_ACCEPTABLE', 'ERR_ANSWER_TOO_LARGE', 'ERR_DEADLINE'],
    reply: async ({ request, parameters, query, headers }) => {
      const form = formFor(headers.accept ?? '*/*', query)
      if (await isKnown(remote, parameters.document, request)) return notModified(request)
      const found = await remote.read(parameters.document, wantedOf(form, query))
      return versioned(form, query.encoding === 'v2' ? await inV2(found) : found)
    }
  })
}

type Form = (typeof forms)[number]

type ReadQuery = {
  readonly stateVector?: string | undefined
  readonly types?: Extract<Wanted, { as: 'json' }>['types'] | undefined
  readonly type?: string | undefined
}

/** The first that is taken; what `types` and `type` are for, where all are the same to who asks. */
function formFor(accept: string, { types, type }: ReadQuery): Form {
  const likely: Form =
    types !== undefined && types !== null ? forms[1] : type === undefined ? forms[0] : forms[2]
  for (const taken of accept.split(',')) {
    const [range = ''] = taken.trim().toLowerCase().split(';')
    if (range === '*/*' || range === '') return likely
    const found = forms.find(form => form === range || range === `${form.split('/')[0]}/*`)
    if (found !== undefined) return found
  }
  throw new Fault('ERR_NOT_ACCEPTABLE', accept, {
    publicReason: `Accept must have one of ${forms.join(', ')}`
  })
}

function wantedOf(form: Form, { stateVector, types = null, type }: ReadQuery): Wanted {
  switch (form) {
    case 'application/octet-stream':
      return { as: 'update', vector: stateVector === undefined ? null : Buffer.from(stateVector, 'base64') }
    case 'application/json':
      return { as: 'json', types }
    case 'text/plain': {
      if (type !== undefined) return { as: 'text', name: type }
      const publicReason = 'for text, type says which root type is wanted, like type=body'
      throw new Fault('ERR_BAD_MESSAGE', publicReason, { publicReason })
    }
    default:
      return form satisfies never
  }
}

/** Whoever asks has the version that there is: nothing is read. */
async function isKnown(remote: RemoteDocuments, document: string, request: Request): Promise<boolean> {
  const known = request.header('if-none-match')
  if (known === undefined) return false
  const version = await remote.version(document)
  return version !== null && known.split(',').some(tag => tag.trim().replace(/^W\//, '') === `"${version}"`)
}

function notModified(request: Request): Reply {
  const [tag = ''] = (request.header('if-none-match') ?? '').split(',')
  return { status: 304, headers: cached(tag.trim()), body: '' }
}

async function inV2({ version, bytes }: Versioned): Promise<Versioned> {
  const { toV2 } = await import('../documents/edit.ts')
  return { version, bytes: await toV2(bytes) }
}

function versioned(form: Form, { version, bytes }: Versioned): Reply {
  const type = form === 'application/octet-stream' ? form : `${form}; charset=utf-8`
  return { status: 200, headers: { 'content-type': type, ...cached(`"${version}"`) }, body: bytes }
}

/** Only whoever asked may keep it, and asks again each time. */
function cached(etag: string): Readonly<Record<string, string>> {
  return { etag, 'cache-control': 'private, no-cache', vary: 'authorization, accept' }
}

function presenceOf({ remote }: DocumentParts): Route {
  return route({
    method: 'GET',
    path: `${documentPath}/presence`,
    id: 'presence',
    group,
    says: 'Says who has a document open, and what they show of themselves.',
    more: 'It opens nothing: of a document that nobody has open here, nobody is known to be there.',
    who: 'read',
    parameters: { document },
    answers: { 200: { says: 'Who is there.', content: { 'application/json': presence } } },
    reply: ({ parameters }) => {
      const { people, states } = remote.presence(parameters.document)
      const shown = [...states].map(([clientId, state]) => ({
        clientId,
        state: JSON.parse(Buffer.from(state).toString()) as unknown
      }))
      return json(200, { people, states: shown })
    }
  })
}
