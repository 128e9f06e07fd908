/** Requests of every operation, as they should be, with the status that each comes to. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { readControl } from '../../src/http/control.ts'
import type { Grant, Server, ServerOptions } from '../../src/index.ts'

export const admin = 'the token of the operator, and long'

export type Asking = { readonly url: string; readonly server: Server; readonly control: string }

export type Trial = {
  readonly id: string
  readonly parameters?: Readonly<Record<string, string>>
  readonly query?: string
  readonly token?: string
  readonly head?: boolean
  readonly body?: string | Uint8Array<ArrayBuffer>
  readonly headers?: Readonly<Record<string, string>>
  readonly status: number
}

/** Tokens say what they give. */
export function grantOf({ token }: { readonly token: string | null }): Grant {
  if (token === 'restorer') return { user: { id: 'ada' }, access: 'write', history: 'restore' }
  if (token === 'writer') return { user: { id: 'ada' }, access: 'write' }
  return { user: { id: token ?? '' }, access: token === 'reader' ? 'read' : 'none' }
}

export async function serverOptions(): Promise<{ options: ServerOptions; data: string }> {
  const data = await mkdtemp(join(tmpdir(), 'chorus-rest-'))
  return {
    options: { data, pages: null, history: [{ documents: '**' }], adminToken: admin, chaos: 'off' },
    data
  }
}

export async function controlTokenOf(data: string): Promise<string> {
  return (await readControl(data))?.token ?? ''
}

const document = 'team/notes 1'

export async function trials(asking: Asking): Promise<readonly Trial[]> {
  const { server } = asking
  await server.change(document, doc => doc.getText('body').insert(0, 'one '), { author: 'ann' })
  await server.change(document, doc => doc.getText('body').insert(0, 'two '), { author: 'ben' })
  return [...(await operation(asking)), ...edits(), ...(await history(server)), ...documents()]
}

async function operation({ control }: Asking): Promise<Trial[]> {
  const directory = await mkdtemp(join(tmpdir(), 'chorus-rest-copy-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return [
    { id: 'health', status: 200 },
    { id: 'health', head: true, status: 200 },
    { id: 'ready', status: 200 },
    { id: 'metrics', status: 200 },
    { id: 'describe', status: 200 },
    { id: 'chaos', status: 200 },
    { id: 'startChaos', status: 403 },
    { id: 'killChaos', status: 403 },
    { id: 'recheck', token: admin, body: JSON.stringify({ document }), status: 200 },
    { id: 'revoke', token: admin, body: '{"user":"eve","access":"read","seconds":60}', status: 200 },
    { id: 'revoke', token: admin, body: '{"user":"eve","access":"all"}', status: 400 },
    { id: 'disconnect', token: admin, body: '{"user":"eve","reason":"bye"}', status: 200 },
    { id: 'listSetAside', token: admin, body: '{}', status: 200 },
    { id: 'showSetAside', token: admin, body: JSON.stringify({ document, number: 1 }), status: 404 },
    { id: 'dropSetAside', token: admin, body: JSON.stringify({ document, number: 1 }), status: 404 },
    { id: 'listDeadLetters', token: admin, status: 200 },
    { id: 'repeatDeadLetter', token: admin, body: JSON.stringify({ document, outlet: 'x' }), status: 404 },
    { id: 'dropDeadLetter', token: admin, body: JSON.stringify({ document, outlet: 'x' }), status: 404 },
    {
      id: 'backup',
      token: control,
      body: JSON.stringify({ directory: join(directory, 'copy') }),
      status: 200
    },
    { id: 'backup', token: control, body: JSON.stringify({ directory: 'package.json' }), status: 409 },
    { id: 'backup', token: control, body: JSON.stringify({ directory: 'x'.repeat(70_000) }), status: 413 }
  ]
}

function edits(): Trial[] {
  const shared = { parameters: { document }, token: 'writer' }
  const patch = (content: string, body: unknown, headers = {}) => ({
    ...shared,
    id: 'patchDocument',
    headers: { 'content-type': `application/${content}`, ...headers },
    body: JSON.stringify(body)
  })
  const change = { op: 'insert', quote: 'two', text: ' and a half' }
  const gone = { op: 'replace', quote: 'nowhere to be found', text: '' }
  const lease = { ...shared, parameters: { document, id: 'bridge' } }
  return [
    { ...shared, id: 'readPassages', query: '?form=text&type=body', status: 200 },
    { ...shared, parameters: { document: 'nowhere' }, id: 'readPassages', status: 404 },
    { ...patch('vnd.chorus.edits+json', { type: 'body', changes: [change] }), status: 200 },
    { ...patch('vnd.chorus.edits+json', { type: 'body', changes: [gone] }), status: 412 },
    { ...patch('json-patch+json', [{ op: 'add', path: '/meta/title', value: 'x' }]), status: 200 },
    { ...patch('json-patch+json', [{ op: 'remove', path: '/meta/none' }]), status: 422 },
    { ...lease, id: 'putPresence', body: '{"state":{"user":{"name":"b"}},"seconds":60}', status: 200 },
    { ...lease, id: 'removePresence', status: 200 }
  ]
}

async function history(server: Server): Promise<Trial[]> {
  const shared = { parameters: { document }, token: 'restorer' }
  const { id } = await server.history(document).name('both')
  const nowhere = { parameters: { document: 'nowhere' }, token: 'restorer' }
  return [
    { ...shared, id: 'historyExtent', status: 200 },
    { ...nowhere, id: 'historyExtent', status: 404 },
    { ...shared, id: 'historyActivity', query: '?limit=10', status: 200 },
    { ...shared, id: 'historyAt', query: '?sequence=1', status: 200 },
    { ...shared, id: 'historyAt', query: '?sequence=1&types=body:text', status: 200 },
    { ...shared, id: 'historyAt', query: '?sequence=900', status: 404 },
    { ...shared, id: 'historyDiff', query: '?from=sequence:1', status: 200 },
    { ...shared, id: 'historyDiff', status: 400 },
    { ...shared, id: 'historyBlame', status: 200 },
    { ...shared, id: 'nameVersion', body: '{"name":"a name"}', status: 201 },
    { ...shared, id: 'undo', body: '{"user":"ann","from":"sequence:0"}', status: 200 },
    { ...shared, id: 'restore', body: JSON.stringify({ version: id }), status: 200 },
    { ...shared, id: 'unnameVersion', parameters: { document, version: id }, status: 200 },
    { ...shared, id: 'unnameVersion', parameters: { document, version: id }, status: 404 },
    { ...shared, token: 'reader', id: 'historyBlame', status: 403 },
    { ...shared, token: admin, id: 'prune', body: '{"before":"2020-01-01"}', status: 200 }
  ]
}

/** A document with this text, as an update. */
export function updateWith(text: string): Uint8Array<ArrayBuffer> {
  const doc = new Y.Doc()
  doc.getText('body').insert(0, text)
  return Uint8Array.from(Y.encodeStateAsUpdate(doc))
}

function documents(): Trial[] {
  const octets = { 'content-type': 'application/octet-stream' }
  const reader = { token: 'reader', parameters: { document }, id: 'readDocument' }
  const writer = { token: 'writer', parameters: { document }, headers: octets, id: 'writeUpdates' }
  const creator = { token: 'writer', headers: octets, id: 'createDocument', body: updateWith('new') }
  const operator = { token: admin, parameters: { document: 'made/here' } }
  const several = { 'content-type': 'application/vnd.y-chorus.updates' }
  const two = [updateWith('a'), updateWith('b')]
  const json = { 'content-type': 'application/json' }
  return [
    { id: 'listDocuments', token: admin, query: '?limit=1&prefix=team', status: 200 },
    { id: 'listDocuments', token: admin, query: '?limit=0', status: 400 },
    { ...reader, status: 200 },
    { ...reader, head: true, status: 200 },
    { ...reader, query: '?encoding=v2&stateVector=AA', status: 200 },
    { ...reader, query: '?encoding=v3', status: 400 },
    { ...reader, headers: { accept: 'application/json' }, status: 200 },
    { ...reader, query: '?types=body:text', status: 200 },
    { ...reader, headers: { accept: 'text/plain' }, query: '?type=body', status: 200 },
    { ...reader, headers: { accept: 'text/plain' }, status: 400 },
    { ...reader, headers: { accept: 'image/png' }, status: 406 },
    { ...reader, parameters: { document: 'nowhere' }, status: 404 },
    { ...reader, token: 'nobody', status: 403 },
    { ...reader, id: 'presence', status: 200 },
    { ...reader, id: 'watchDocument', query: '?types=body:text', head: true, status: 200 },
    { ...reader, id: 'watchDocument', status: 400 },
    { ...writer, body: updateWith('more'), status: 200 },
    { ...writer, token: admin, query: '?author=ann', body: updateWith('more'), status: 200 },
    {
      ...writer,
      headers: several,
      body: Buffer.concat(two.flatMap(each => [Buffer.of(each.length), each])),
      status: 200
    },
    { ...writer, headers: several, body: 'x', status: 400 },
    { ...writer, body: 'no update', status: 400 },
    { ...writer, headers: { 'content-type': 'text/plain' }, body: 'no update', status: 415 },
    { ...writer, token: 'reader', body: updateWith('more'), status: 403 },
    { ...creator, parameters: { document: 'made/here' }, status: 201 },
    { ...creator, parameters: { document }, status: 412 },
    {
      ...creator,
      parameters: { document: 'made 2' },
      headers: json,
      body: '{"body":"one","meta":{"a":[1,{"b":2}]}}',
      status: 201
    },
    { ...creator, parameters: { document: 'made 3' }, headers: json, body: '{"body":7}', status: 400 },
    { id: 'copyDocument', token: 'writer', parameters: { document }, body: '{"to":"a copy"}', status: 201 },
    { id: 'copyDocument', token: 'writer', parameters: { document }, body: '{"to":"a copy"}', status: 412 },
    { id: 'copyDocument', token: 'reader', parameters: { document }, body: '{"to":"another"}', status: 403 },
    { ...operator, id: 'deleteDocument', status: 200 },
    { ...operator, id: 'deleteDocument', status: 410 },
    { ...operator, id: 'readDocument', status: 410 },
    { ...operator, id: 'deleteDocument', query: '?purge', status: 200 },
    { ...operator, id: 'readDocument', status: 404 }
  ]
}
