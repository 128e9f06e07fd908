/** The command's settings for access, and what an operator does with what was set aside. Needs dist (globalSetup). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { answerJson, startApplication } from '../support/application.ts'
import { runCommand } from '../support/command.ts'
import { openRaw, updateFrame } from '../support/raw.ts'
import { spawnServer, temporaryDirectory } from '../support/server.ts'
import { secret, signed, writer } from '../support/tokens.ts'

describe('a start that would let everybody in', () => {
  test.each([
    [['--host', '0.0.0.0'], /0\.0\.0\.0 can be reached from elsewhere.*--auth none/],
    [['--host', '::'], /--auth none/],
    [['--auth', 'jwt'], /needs one of --jwt-secret-file/],
    [['--auth', 'webhook'], /needs --webhook-url/],
    [['--auth', 'ask'], /must be loopback, none, jwt or webhook/],
    [['--jwt-issuer', 'us'], /--jwt-issuer is for --auth jwt/],
    [['--auth', 'jwt', '--jwt-secret-file', '/nowhere'], /--jwt-secret-file \/nowhere cannot be read/],
    [['--auth', 'webhook', '--webhook-url', 'ftp://a'], /http/],
    [['--trust-proxy', 'everybody'], /everybody is no address/]
  ])('%j is refused in one sentence', async (args, sentence) => {
    const ended = await runCommand('--port', '0', '--data', ':memory:', ...args)

    expect(ended.code).not.toBe(0)
    expect(ended.errors).toMatch(sentence)
    expect(ended.errors.trim().split('\n')).toHaveLength(1)
  })

  test('says so when the secret is too short, without saying it', async () => {
    const file = join(temporaryDirectory(), 'secret')
    writeFileSync(file, 'short-secret')

    const ended = await runCommand(
      '--port',
      '0',
      '--data',
      ':memory:',
      '--auth',
      'jwt',
      '--jwt-secret-file',
      file
    )

    expect(ended.code).toBe(2)
    expect(ended.errors).toMatch(/at least 32/)
    expect(ended.errors).not.toContain('short-secret')
  })

  test('is possible when it is asked for by name', async () => {
    const server = await spawnServer([
      '--host',
      '0.0.0.0',
      '--port',
      '0',
      '--data',
      ':memory:',
      '--auth',
      'none'
    ])
    const { port } = new URL(server.url)

    const raw = await openRaw({ url: `http://127.0.0.1:${port}`, path: 'room' })

    await raw.ask()
  })
})

test('tokens, claims, origins and the admin token are settings', async () => {
  const directory = temporaryDirectory()
  const [secretFile, adminFile] = [join(directory, 'secret'), join(directory, 'admin')]
  writeFileSync(secretFile, `${secret}\n`)
  writeFileSync(adminFile, 'an admin token of more than 32 characters\n')
  const { url } = await spawnServer(
    [
      ...['--port', '0', '--data', ':memory:', '--auth', 'jwt', '--jwt-claim', 'documents'],
      ...['--jwt-audience', 'notes', '--origins', 'https://a.example,https://b.example'],
      ...['--identity', 'stamped', '--rooms', 'notes/**', '--admin-token-file', adminFile]
    ],
    { env: { CHORUS_JWT_SECRET_FILE: secretFile } }
  )
  const token = await signed({ ...writer('ada', { aud: 'notes' }), rooms: {}, documents: { '**': 'write' } })
  const open = (path: string, origin: string) =>
    openRaw({ url, path: `${path}?token=${token}`, headers: { origin } })

  const raw = await open('notes/1', 'https://b.example')
  await raw.ask()
  const elsewhere = await open('notes/1', 'https://c.example')
  elsewhere.send(Uint8Array.of(0, 0, 1, 0))
  const unnamed = await open('plans/1', 'https://a.example')
  unnamed.send(Uint8Array.of(0, 0, 1, 0))

  expect([await elsewhere.closed(), await unnamed.closed()]).toEqual([4403, 4400])
  const response = await fetch(`${url}/api/revoke`, {
    method: 'POST',
    headers: { authorization: 'Bearer an admin token of more than 32 characters' },
    body: '{"user":"ada"}'
  })
  expect(await response.json()).toEqual({ checked: 1, changed: 0, ended: 1 })
  expect(await raw.closed()).toBe(4403)
})

test('the webhook is a setting', async () => {
  const application = await startApplication((_, request, response) => {
    const access = request.headers.authorization === 'Bearer between us' ? 'write' : 'none'
    answerJson(response, 200, { user: null, access })
  })
  const file = join(temporaryDirectory(), 'token')
  writeFileSync(file, 'between us')
  const hook = ['--auth', 'webhook', '--webhook-url', application.url, '--webhook-token-file', file]
  const { url } = await spawnServer(['--port', '0', '--data', ':memory:', ...hook])

  const raw = await openRaw({ url, path: 'room' })

  await raw.ask()
})

test('what was refused is listed, shown byte for byte and dropped, while the server runs and when it does not', async () => {
  const data = temporaryDirectory()
  const server = await spawnServer(['--port', '0', '--data', data])
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'precious')
  const broken = Uint8Array.from([...Y.encodeStateAsUpdate(doc), 0])
  for (const path of ['my%20room', 'other']) {
    const raw = await openRaw({ url: server.url, path })
    raw.send(updateFrame(broken))
    expect(await raw.closed()).toBe(4500)
  }

  const listed = await runCommand('set-aside', 'list', '--data', data)
  const shown = await runCommand('set-aside', 'show', 'other', '1', '--data', data)
  const dropped = await runCommand('set-aside', 'drop', 'other', '1', '--data', data)
  const again = await runCommand('set-aside', 'drop', 'other', '1', '--data', data)
  await server.terminate()
  const later = await runCommand('set-aside', 'list', '--data', data)
  const laterShown = await runCommand('set-aside', 'show', 'my room', '1', '--data', data)
  const wrong = await runCommand('set-aside', 'show', 'my room', '--data', data)

  expect(listed.output.split('\n').filter(line => line !== '')).toHaveLength(2)
  expect(listed.output).toMatch(
    /^"my room" 1 {2}\d{4}-\d\d-\d\dT.* bytes {2}from client [\w-]{8}-\d+: ".*"$/m
  )
  expect(shown.code).toBe(0)
  expect(shown.output).toContain('precious')
  expect([dropped.code, again.code, wrong.code]).toEqual([0, 1, 2])
  expect(again.errors).toMatch(/nothing of number 1|nothing of that number/)
  expect(later.output).not.toContain('other')
  expect(laterShown.output).toContain('precious')
})

describe('y-chorus token', () => {
  test('signs a token that the server with the same secret lets in, and no further', async () => {
    const file = join(temporaryDirectory(), 'secret')
    writeFileSync(file, `${secret}\n`)
    const keys = ['--jwt-secret-file', file, '--jwt-issuer', 'us']
    const server = await spawnServer(['--port', '0', '--data', ':memory:', '--auth', 'jwt', ...keys])

    const { output, code } = await runCommand('token', 'ada', 'team/**=write', ...keys)
    const token = output.trim()
    const raw = await openRaw({ url: server.url, path: `team/notes?token=${token}` })
    await raw.ask()
    const elsewhere = await openRaw({ url: server.url, path: `other?token=${token}` })
    elsewhere.send(Uint8Array.of(0, 0, 1, 0))

    expect(code).toBe(0)
    expect(raw.closeCode()).toBe(null)
    expect(await elsewhere.closed()).toBe(4403)
  })

  test.each([
    [['ada', 'a=write'], /--jwt-secret-file/],
    [['ada'], /takes a user and rights/],
    [['ada', 'team/**'], /"team\/\*\*" is no right/]
  ])('%j is refused in one sentence', async (operands, sentence) => {
    const file = join(temporaryDirectory(), 'secret')
    writeFileSync(file, secret)
    const keys = operands[1] === 'a=write' ? [] : ['--jwt-secret-file', file]

    const ended = await runCommand('token', ...operands, ...keys)

    expect(ended.code).toBe(2)
    expect(ended.errors).toMatch(sentence)
  })
})
