/**
 * The OpenAPI 3.1 description of a table of routes, made when it is asked for. docs/http.md is made of it, and a test
 * holds every answer to it.
 */
import { z } from 'zod'
import { type FaultCode, faults } from '../base/errors.ts'
import type { Answer, Contents, Fields, Route, Who } from './route.ts'
import { fault } from './schemas.ts'

export type Json = { readonly [name: string]: unknown }

/** Said in one place: the first lines of the description. */
const about =
  'Reads, writes and watches documents, and looks after the server. What is answered with success is on disk. ' +
  'A fault is answered with its code in `error` and a sentence in `message`.'

/** What an answer of any route may be. */
const always: readonly FaultCode[] = ['ERR_BAD_MESSAGE', 'ERR_GOING_DOWN', 'ERR_INTERNAL']

const ofPeople: readonly FaultCode[] = [
  'ERR_NOT_AUTHENTICATED',
  'ERR_EXPIRED',
  'ERR_AUTHENTICATION_TIMEOUT',
  'ERR_AUTHENTICATION_UNAVAILABLE',
  'ERR_ORIGIN',
  'ERR_FORBIDDEN',
  'ERR_NOT_NOW',
  'ERR_ROOM_NAME',
  'ERR_OVERLOADED'
]

/** Who may ask, as people are told. */
export const whoMay: Readonly<Record<Who, string>> = {
  anyone: 'Anyone.',
  operator: 'The operator.',
  machine: 'Commands on the same machine.',
  read: 'Who may read the document, and the operator.',
  write: 'Who may write the document, and the operator.',
  history: 'Who may read the history of the document, and the operator.',
  restore: 'Who may restore the document, and the operator.'
}

export function openApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const path = route.path.replaceAll(/[:*](\w+)/g, '{$1}')
    paths[path] ??= {}
    paths[path][route.method.toLowerCase()] = operation(route)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'y-chorus', version, description: about, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '..', description: 'This server.' }],
    tags: [...new Set(routes.map(({ group }) => group))].map(name => ({ name })),
    paths,
    components: {
      schemas: { Fault: schemaOf(fault, 'output') },
      securitySchemes: {
        operator: {
          type: 'http',
          scheme: 'bearer',
          description: 'The admin token: the file of `--admin-token-file`.'
        },
        person: { type: 'http', scheme: 'bearer', description: 'What `authorize` takes: `--auth`.' },
        machine: {
          type: 'http',
          scheme: 'bearer',
          description: 'The token that the server leaves in its data directory.'
        }
      }
    }
  }
}

function operation(route: Route): Json {
  const { id, group, says, more, who, body } = route
  return {
    operationId: id,
    tags: [group],
    summary: says,
    description: [more ?? '', `Who may ask: ${whoMay[who]}`].filter(text => text !== '').join('\n\n'),
    ...(who === 'anyone' ? {} : { security: securityOf(who) }),
    parameters: [
      ...parametersOf('path', route.parameters),
      ...parametersOf('query', route.query),
      ...parametersOf('header', route.headers)
    ],
    ...(body === undefined || body === null ? {} : { requestBody: requestBody(body) }),
    responses: { ...faultAnswers(route), ...answersOf(route) }
  }
}

function securityOf(who: Who): readonly Json[] {
  if (who === 'machine') return [{ machine: [] }]
  const operator = [{ machine: [] }, { operator: [] }]
  // Without a token: where nobody is asked who they are.
  return who === 'operator' ? operator : [...operator, { person: [] }, {}]
}

function parametersOf(place: 'path' | 'query' | 'header', fields: Fields = {}): readonly Json[] {
  return Object.entries(fields).map(([name, field]) => {
    const { description = '', example, ...schema } = schemaOf(field, 'input')
    const isRequired = place === 'path' || !field.safeParse(undefined).success
    const shown = example === undefined ? {} : { example }
    return { name, in: place, description, required: isRequired, schema, ...shown }
  })
}

function requestBody(body: NonNullable<Route['body']>): Json {
  const limit = `At most ${body.bytesMax} bytes.`
  if (body.form === 'json') {
    const content = { 'application/json': { schema: schemaOf(body.schema, 'input') } }
    return { required: true, description: limit, content }
  }
  return { required: true, description: limit, content: contentOf(body.types, 'input') }
}

function answersOf({ answers }: Route): Record<string, Json> {
  return Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, described(answer)]))
}

function described({ says, content, headers }: Answer): Json {
  const named = Object.entries(headers ?? {}).map(([name, sentence]) => [
    name,
    { description: sentence, schema: { type: 'string' } }
  ])
  return {
    description: says,
    ...(named.length === 0 ? {} : { headers: Object.fromEntries(named) }),
    ...(content === undefined ? {} : { content: contentOf(content, 'output') })
  }
}

function contentOf(contents: Contents, io: 'input' | 'output'): Json {
  const entries = Object.entries(contents).map(([type, content]) => {
    if (typeof content !== 'string') return [type, { schema: schemaOf(content, io) }]
    return [type, { schema: { description: content } }]
  })
  return Object.fromEntries(entries)
}

/** One answer for each status, with all codes that it may have. */
function faultAnswers(route: Route): Record<string, Json> {
  const codes = new Map<number, FaultCode[]>()
  for (const code of new Set(faultsOf(route))) {
    const { httpStatus } = faults[code]
    codes.set(httpStatus, [...(codes.get(httpStatus) ?? []), code])
  }
  const answers = [...codes].map(([status, named]) => {
    const says = named.map(code => `\`${code}\`: ${faults[code].publicReason}.`).join(' ')
    return [status, { ...refusal(says), ...advice(status) }]
  })
  const tooOften = { ...refusal('Too much was asked from there, or written, at once.'), ...advice(429) }
  return Object.fromEntries([...answers, [429, tooOften]])
}

function refusal(description: string): Json {
  const schema = { $ref: '#/components/schemas/Fault' }
  return { description, content: { 'application/json': { schema } } }
}

function advice(status: number): Json {
  if (status !== 429 && status !== 503) return {}
  const schema = { type: 'string' }
  return { headers: { 'retry-after': { description: 'After how many seconds to ask again.', schema } } }
}

function faultsOf({ who, body, faults: own = [] }: Route): readonly FaultCode[] {
  const codes: FaultCode[] = [...always, ...own]
  if (who === 'operator' || who === 'machine') codes.push('ERR_NOT_AUTHENTICATED')
  else if (who !== 'anyone') codes.push(...ofPeople)
  if (body !== undefined && body !== null) codes.push('ERR_BODY_TOO_LARGE')
  if (body?.form === 'bytes') codes.push('ERR_MEDIA_TYPE')
  return codes
}

/** JSON Schema of 2020-12, which OpenAPI 3.1 takes as it is. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const {
    $schema: _,
    id: __,
    ...rest
  } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // What options are told by is no keyword.
      delete jsonSchema.kind
    }
  })
  return rest
}
