/** `y-chorus history` and tokens as the command that is installed, against servers on directories. Needs dist (globalSetup). */
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer, request } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createServer, jwt, type Server, type ServerOptions } from '../../src/index.ts'
import { runCommand } from '../support/command.ts'
import { spawnServer, temporaryDirectory } from '../support/server.ts'
import { secret } from '../support/tokens.ts'

async function started(options: ServerOptions = {}): Promise<{ server: Server; url: string; data: string }> {
  const data = temporaryDirectory()
  const server = createServer({ data, port: 0, pages: null, history: [{ documents: '**' }], ...options })
  onTestFinished(() => server.stop())
  return { server, url: await server.listen(), data }
}

/** `ben` has taken away what `ann` wrote; resolves to the record before. */
async function written(server: Server): Promise<number> {
  await server.change('a', doc => doc.getText('body').insert(0, 'hello'), { author: 'ann' })
  const { head } = await server.history('a').extent()
  await server.change('a', doc => doc.getText('body').delete(0, 4), { author: 'ben' })
  return head
}

async function textOf(server: Server): Promise<unknown> {
  const { head } = await server.history('a').extent()
  return server.history('a').contents({ sequence: head }, { types: { body: 'text' } })
}

const hello = { body: [{ insert: 'hello' }] }

test('who worked when is told, one person is undone, and a version is taken away again', async () => {
  const { server, data } = await started()
  const head = await written(server)
  const history = (...operands: string[]) => runCommand('history', ...operands, '--data', data)

  const worked = await history('activity', 'a')
  expect(worked.output).toMatch(/^20\S+Z to 20\S+Z {2}\+5 -0 {2}ann\n20\S+Z to \S+Z {2}\+0 -4 {2}ben\n$/)
  expect((await history('activity', 'a', '1970-01-01', '1970-01-02')).output).toBe(
    'nobody has written anything\n'
  )

  const undone = await history('undo', 'a', 'ben', `sequence:${head}`)
  expect(undone).toMatchObject({ code: 0, output: expect.stringMatching(/^taken back; before it: version:/) })
  expect(await textOf(server)).toEqual(hello)

  const { versions } = await server.history('a').extent()
  const gone = await history('unname', 'a', `version:${versions[0]?.id}`)
  expect(gone.output).toBe(`version:${versions[0]?.id} is gone\n`)
  expect((await server.history('a').extent()).versions).toEqual([])
  expect(await history('unname', 'a', `version:${versions[0]?.id}`)).toMatchObject({ code: 1 })
})

test('a restore whose answer is lost says how to ask again, and asked again it has happened once', async () => {
  const { server, url, data } = await started()
  const head = await written(server)
  const cut = await answersLost(url, await adminTokenOf(data))
  const args = ['history', 'restore', 'a', `sequence:${head}`]

  const lost = await runCommand(...args, '--url', cut)

  expect(lost.code).toBe(1)
  const [, key = ''] =
    /It may have been done\..*\ny-chorus history restore a sequence:\d+ --key (\S+)\n$/s.exec(lost.errors) ??
    []
  expect(key).not.toBe('')
  expect(await textOf(server)).toEqual(hello)
  const { head: after } = await server.history('a').extent()
  const again = await runCommand(...args, '--data', data, '--key', key, '--json')
  expect(JSON.parse(again.output)).toMatchObject({ key, isChanged: true, sequence: after })
  expect((await server.history('a').extent()).head).toBe(after)
})

test('a time that was counted from now is told as the same time', async () => {
  const { server, url, data } = await started()
  await written(server)
  const cut = await answersLost(url, await adminTokenOf(data))

  const lost = await runCommand('history', 'undo', 'a', "it's me", '1h', '--url', cut)

  expect(lost.errors).toMatch(/\ny-chorus history undo a 'it'\\''s me' 20\S+Z --key \S+\n$/)
})

test('each action says what it takes, and what is no action says them all', async () => {
  const restore = await runCommand('history', 'restore', '--help')
  const blame = await runCommand('history', 'blame', '--help')
  const all = await runCommand('history', '--help')

  expect(restore.output).toMatch(/^y-chorus history restore <document> <moment>\n.*--key <text>/s)
  expect(blame.output).toMatch(/^y-chorus history blame <document> \[moment\]\n/)
  expect(blame.output).not.toContain('--key')
  for (const action of ['undo', 'activity', 'unname', 'prune'])
    expect(all.output).toContain(`\n  ${action} <`)
  expect(await runCommand('history', 'undo', 'a')).toMatchObject({
    code: 2,
    errors: expect.stringContaining('history undo <document> <user> <from> [to]')
  })
  expect(await runCommand('history', 'blame', 'a', '--key', 'k')).toMatchObject({ code: 2 })
  expect(await runCommand('backup', 'x', '--key', 'k')).toMatchObject({ code: 2 })
})

test('--open-history lets everybody see histories where nobody signs in, and is refused where people do', async () => {
  const of = (...args: string[]) =>
    spawnServer(['--port', '0', '--data', temporaryDirectory(), '--history', '**', ...args])
  const ask = async ({ url }: { url: string }) => (await fetch(`${url}/api/documents/a/history`)).status

  expect(await ask(await of())).toBe(403)
  expect(await ask(await of('--open-history', 'read'))).toBe(404)
  expect(await runCommand('--open-history', 'all')).toMatchObject({ code: 2 })
  const file = join(temporaryDirectory(), 'secret')
  writeFileSync(file, secret)
  const signedIn = ['--auth', 'jwt', '--jwt-secret-file', file, '--open-history', 'read']
  expect(await runCommand('--port', '0', '--data', ':memory:', ...signedIn)).toMatchObject({
    code: 2,
    errors: expect.stringContaining('--open-history is for servers where nobody signs in')
  })
})

test('a token has the rights to histories that it was made with', async () => {
  const { server, url } = await started({ authorize: jwt({ secret }) })
  const head = await written(server)
  const file = join(temporaryDirectory(), 'secret')
  writeFileSync(file, secret)
  const tokenWith = async (...more: string[]) =>
    (await runCommand('token', 'ada', 'a=write', ...more, '--jwt-secret-file', file)).output.trim()
  const statuses = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const at = `${url}/api/documents/a/history`
    const body = JSON.stringify({ sequence: head })
    return [
      (await fetch(at, { headers })).status,
      (await fetch(`${at}/restore`, { method: 'POST', headers, body })).status
    ]
  }

  expect(await statuses(await tokenWith())).toEqual([403, 403])
  expect(await statuses(await tokenWith('--history', 'read'))).toEqual([200, 403])
  expect(await statuses(await tokenWith('--history', 'b=restore,a=read'))).toEqual([200, 403])
  expect(await statuses(await tokenWith('--history', 'restore'))).toEqual([200, 200])
  expect(await textOf(server)).toEqual(hello)
  const wrong = await runCommand('token', 'ada', 'a=write', '--history', 'all', '--jwt-secret-file', file)
  expect(wrong).toMatchObject({ code: 2, errors: expect.stringContaining('"all" is no right to histories') })
})

async function adminTokenOf(data: string): Promise<string> {
  const { readControl } = await import('../../src/http/control.ts')
  const control = await readControl(data)
  if (control === null) throw new Error('no server has left its address')
  return control.token
}

/** In front of a server: what is asked arrives there, with the operator's token, and no answer comes back. */
async function answersLost(url: string, token: string): Promise<string> {
  const proxy = createHttpServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, authorization: `Bearer ${token}` }
    const onward = request(url + incoming.url, { method: incoming.method, headers }, answer => {
      answer.resume().once('end', () => outgoing.destroy())
    })
    incoming.pipe(onward)
  })
  onTestFinished(() => void proxy.close())
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return `http://127.0.0.1:${address.port}`
}
