/** Holds answers to the OpenAPI description that a server gives of itself. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

type Schema = Readonly<Record<string, unknown>>
type Described = {
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>
}
export type Operation = {
  readonly operationId: string
  readonly responses: Readonly<Record<string, Described>>
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
}
export type Description = {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

export type Place = { readonly method: string; readonly path: string; readonly operation: Operation }

/** Every operation by its id. */
export function operationsOf({ paths }: Description): ReadonlyMap<string, Place> {
  const places = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation }))
  )
  return new Map(places.map(place => [place.operation.operationId, place]))
}

/** What an answer has of its own accord, whatever was asked. */
const alwaysSent = new Set([
  ...['content-type', 'content-length', 'date', 'connection', 'keep-alive', 'transfer-encoding'],
  ...[
    'x-content-type-options',
    'referrer-policy',
    'cache-control',
    'vary',
    'www-authenticate',
    'retry-after'
  ],
  ...['access-control-allow-origin', 'access-control-expose-headers', 'access-control-allow-credentials']
])

/** What is wrong with an answer by the description; empty: nothing is. */
export class Answers {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })
  readonly #schemas: Description['components']['schemas']

  constructor({ components }: Description) {
    addFormats.default(this.#ajv)
    this.#schemas = components.schemas
  }

  /** `isHead`: it was asked for with HEAD, and has no body. */
  async findings(operation: Operation, response: Response, isHead = false): Promise<string[]> {
    const where = `${operation.operationId} ${response.status}`
    const described = operation.responses[response.status]
    if (described === undefined) return [`${where} is not described: ${await response.text()}`]
    const named = new Set(Object.keys(described.headers ?? {}))
    const stray = [...response.headers.keys()].filter(name => !alwaysSent.has(name) && !named.has(name))
    const missing = [...named].filter(name => !response.headers.has(name) && name !== 'retry-after')
    return [
      ...stray.map(name => `${where} has the header ${name}, which is not described`),
      ...missing.map(name => `${where} has no header ${name}`),
      ...(await this.#bodyFindings(where, described, { response, isHead }))
    ]
  }

  async #bodyFindings(
    where: string,
    { content }: Described,
    { response, isHead }: { response: Response; isHead: boolean }
  ): Promise<string[]> {
    const bytes = await response.arrayBuffer()
    if (isHead) return bytes.byteLength === 0 ? [] : [`${where} has a body`]
    if (content === undefined)
      return bytes.byteLength === 0 ? [] : [`${where} has a body that is not described`]
    const [type = ''] = (response.headers.get('content-type') ?? '').split(';')
    const schema = content[type]?.schema
    // A proxy's answer, or that of the budget of requests, has none.
    if (schema === undefined && response.status === 429 && bytes.byteLength === 0) return []
    if (schema === undefined) return [`${where} is of the type "${type}", which is not described`]
    if (type !== 'application/json') return []
    const validate = this.#ajv.compile({ components: { schemas: this.#schemas }, ...schema })
    if (validate(JSON.parse(Buffer.from(bytes).toString()))) return []
    return [
      `${where}: ${this.#ajv.errorsText(validate.errors)} in ${Buffer.from(bytes).toString().slice(0, 300)}`
    ]
  }
}

/** The path with its parameters filled in. */
export function filled(path: string, parameters: Readonly<Record<string, string>>): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ''))
}
