/**
 * The OpenAPI description and the behaviour agree: each operation is asked, as it should be and as it should not, and every
 * answer is held to the description. Requests of the operations are in operations.ts.
 */
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createServer, type Server } from '../../src/index.ts'
import { Answers, type Description, filled, operationsOf } from '../support/description.ts'
import { type Asking, admin, controlTokenOf, grantOf, type Trial, trials } from './operations.ts'

let server: Server
let asking: Asking
let description: Description

beforeAll(async () => {
  const { options, data } = await import('./operations.ts').then(({ serverOptions }) => serverOptions())
  server = createServer({ ...options, authorize: grantOf })
  const url = await server.listen()
  asking = { url, server, control: await controlTokenOf(data) }
  description = (await (await fetch(`${url}/api/openapi.json`)).json()) as Description
})

afterAll(() => server.stop())

async function send({ id, parameters = {}, query = '', token, head, ...init }: Trial): Promise<string[]> {
  const place = operationsOf(description).get(id)
  if (place === undefined) return [`there is no operation ${id}`]
  const { method, path, operation } = place
  const response = await fetch(`${asking.url}${filled(path, parameters)}${query}`, {
    method: head === true ? 'HEAD' : method,
    ...(init.body === undefined ? {} : { body: init.body }),
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...init.headers }
  })
  const isAsExpected = response.status === init.status
  const said = isAsExpected ? '' : await response.clone().text()
  const unexpected = isAsExpected ? [] : [`${id} answered ${response.status} ${said}, not ${init.status}`]
  return [...unexpected, ...(await new Answers(description).findings(operation, response, head === true))]
}

test('the description is OpenAPI 3.1', async () => {
  const validator = new Validator()

  const result = await validator.validate(structuredClone(description) as never)

  expect(result.errors ?? []).toEqual([])
  expect([result.valid, description.openapi]).toEqual([true, '3.1.0'])
})

test('each operation is asked here, and each answer is as described', async () => {
  const findings: string[] = []
  const asked = new Set<string>()
  for (const trial of await trials(asking)) {
    asked.add(trial.id)
    findings.push(...(await send(trial)))
  }

  expect(findings).toEqual([])
  expect([...operationsOf(description).keys()].filter(id => !asked.has(id))).toEqual([])
})

test('each operation refuses who may not ask, and a body that is none, as described', async () => {
  const findings: string[] = []
  for (const [id, { operation }] of operationsOf(description)) {
    const isOpen = !('security' in operation)
    const parameters = Object.fromEntries(operation.parameters.map(({ name }) => [name, 'somewhere']))
    // What is watched has to be said, whoever asks.
    const query = '?types=body:text'
    if (!isOpen) findings.push(...(await send({ id, parameters, query, status: 401 })))
    if (operation.requestBody === undefined || isOpen) continue
    const token = id === 'backup' ? asking.control : admin
    const bytes = { 'content-type': 'application/json', 'content-length': '1' }
    const status = Object.keys(operation.requestBody.content).includes('application/json') ? 400 : 415
    findings.push(...(await send({ id, parameters, token, body: '{', headers: bytes, status })))
  }

  expect(findings).toEqual([])
})

test('a planted answer that is not described is found', async () => {
  const place = operationsOf(description).get('health')
  if (place === undefined) throw new Error('health is not described')
  const answers = new Answers(description)
  const plant = (status: number, body: string) =>
    answers.findings(
      place.operation,
      new Response(body, { status, headers: { 'content-type': 'application/json' } })
    )

  expect(await plant(200, '{"status":"ok"}')).toEqual([])
  expect(await plant(202, '{}')).toHaveLength(1)
  expect(await plant(200, '{"status":"ok","more":1}')).toHaveLength(1)
  expect(await plant(200, '{"status":"bad"}')).toHaveLength(1)
})
