/** An example of the repository as its reader has it: in a directory of its own, with the packed package installed. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { root } from '../house/source.ts'
import { type Client, connect, synced, until, untilAsync } from '../support/clients.ts'
import type { ServerProcess } from '../support/server.ts'

/** A copy below `parent`, removed after the test. */
export function copyOf(name: string, parent: string): string {
  const directory = mkdtempSync(join(parent, `${name}-`))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  cpSync(join(root, 'examples', name), directory, {
    recursive: true,
    filter: path => !/[/\\](node_modules|\.next|dist|chorus-data)$/.test(path)
  })
  return directory
}

/** A real client of the example's document, synced; ended after the test. */
export async function openNotes({ url }: ServerProcess): Promise<Client> {
  const client = connect(`${url}/collab`, 'notes')
  onTestFinished(() => client.destroy())
  await synced(client)
  return client
}

export const bodyOf = ({ doc }: Client) => doc.getText('body').toString()

/** What a client types is what the framework's route reads, and what the route writes is what the client sees. */
export async function expectOneDocument(client: Client, { read, write }: Routes): Promise<void> {
  client.doc.getText('body').insert(0, 'by a client')
  await untilAsync(async () => (await read()) === 'by a client', 'the route to read it', 60_000)

  await write('the route, ')

  await until(() => bodyOf(client) === 'the route, by a client', 'the client to see it')
  expect(await read()).toBe('the route, by a client')
}

export type Routes = { read(): Promise<string>; write(text: string): Promise<void> }

export function routesAt(url: string): Routes {
  return {
    read: async () => (await fetch(url)).text(),
    write: async text => {
      const headers = { 'content-type': 'text/plain' }
      const { status } = await fetch(url, { method: 'POST', headers, body: text })
      expect(status).toBe(204)
    }
  }
}
