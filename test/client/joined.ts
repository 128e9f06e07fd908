/** Providers of y-chorus/client as tests use them: destroyed when the test ends, in a process without a page. */
import { onTestFinished } from 'vitest'
import WebSocket from 'ws'
import * as Y from 'yjs'
import { ChorusProvider, type ChorusProviderOptions, ChorusSocket, type Status } from '../../client/index.ts'
import type { SocketClass } from '../../client/web-socket.ts'
import { until } from '../support/clients.ts'

/** `ws` has what a provider uses of the browser's own. */
export const socketClass = WebSocket as unknown as SocketClass

export type Joined = { readonly doc: Y.Doc; readonly provider: ChorusProvider }

export function join(
  server: string | ChorusSocket,
  room: string,
  options: ChorusProviderOptions & { readonly doc?: Y.Doc } = {}
): Joined {
  const { doc = new Y.Doc(), ...others } = options
  const provider = new ChorusProvider(server, room, doc, { WebSocketPolyfill: socketClass, ...others })
  onTestFinished(() => {
    provider.destroy()
    doc.destroy()
  })
  return { doc, provider }
}

export function openSocket(url: string): ChorusSocket {
  return new ChorusSocket(url, { WebSocketPolyfill: socketClass })
}

/** Resolves when the status is so. */
export async function shows({ provider }: Joined, wanted: Partial<Status>, what: string): Promise<Status> {
  const entries = Object.entries(wanted) as [keyof Status, unknown][]
  const isSo = () => entries.every(([key, value]) => provider.getSnapshot()[key] === value)
  await until(isSo, `${what}; it is ${JSON.stringify(provider.getSnapshot())}`)
  return provider.getSnapshot()
}

export function type({ doc }: Joined, text: string): void {
  doc.getText('t').insert(doc.getText('t').length, text)
}

export function textOf({ doc }: Pick<Joined, 'doc'>): string {
  return doc.getText('t').toString()
}

/** What the server has stored, as a client that comes only now is told. */
export async function stored(url: string, room: string, token?: string): Promise<string> {
  const fresh = join(url, room, token === undefined ? {} : { token })
  await shows(fresh, { synced: true }, 'what is stored')
  const text = textOf(fresh)
  fresh.provider.destroy()
  return text
}
