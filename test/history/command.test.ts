/** `y-chorus history`, as the command that is installed, against a running server. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { createServer } from '../../src/index.ts'
import { temporaryDirectory } from '../support/server.ts'

const run = promisify(execFile)
const command = new URL('../../dist/src/command/cli.js', import.meta.url).pathname

test('it tells what changed, names and restores, and finds the server by its documents', async () => {
  const data = temporaryDirectory()
  const server = createServer({ data, pages: null, history: [{ documents: '**' }] })
  onTestFinished(() => server.stop())
  await server.listen()
  await server.change('a/b', doc => doc.getText('body').insert(0, 'hello'), { author: 'ann' })
  const { head } = await server.history('a/b').extent()
  await server.change('a/b', doc => doc.getText('body').delete(0, 4), { author: 'ben' })
  const history = async (...operands: string[]) =>
    (await run(process.execPath, [command, 'history', ...operands, '--data', data])).stdout

  expect(await history('list', 'a/b')).toMatch(/record 0\nto .*, record \d+; \d+ bytes/)
  expect(await history('diff', 'a/b', `sequence:${head}`)).toMatch(/^body {2}- "hell" {2}ben, 20/)
  expect(await history('blame', 'a/b')).toMatch(/^body {2}"o" {2}ann, 20/)
  expect(JSON.parse(await history('blame', 'a/b', '--json'))).toHaveProperty('types.body')
  expect(await history('show', 'a/b', `sequence:${head}`, 'body:text')).toContain('"insert": "hello"')
  expect(await history('name', 'a/b', 'the short one')).toMatch(/the short one\n$/)
  expect(await history('restore', 'a/b', `sequence:${head}`)).toMatch(/^restored; before it: version:/)
  expect(await history('list', 'a/b')).toContain('"the short one"')
  await expect(history('show', 'a/b', 'yesterday', 'body:text')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is no time')
  })
  await expect(history('blame', 'a/b', '2000-01-01')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('begins at')
  })
  await expect(history('undo')).rejects.toMatchObject({ code: 2 })
})
