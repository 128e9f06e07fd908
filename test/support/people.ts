/** People in one room with presence: a real client of each supported version, seen as its clientID and its awareness. */
import { onTestFinished } from 'vitest'
import type { Awareness } from 'y-protocols/awareness'
import { type ClientVersion, clientVersions, connect, synced, until } from './clients.ts'
import { type ProviderVersion, provide, providerSynced, providerVersions } from './hocuspocus.ts'

export type Person = { readonly clientID: number; readonly awareness: Awareness; destroy(): void }

export async function yWebsocket(url: string, version: ClientVersion): Promise<Person> {
  const client = connect(url, 'room', { version })
  await synced(client)
  let isDestroyed = false
  const destroy = () => {
    if (!isDestroyed) client.destroy()
    isDestroyed = true
  }
  onTestFinished(destroy)
  return { clientID: client.doc.clientID, awareness: client.provider.awareness, destroy }
}

export async function hocuspocus(url: string, version: ProviderVersion): Promise<Person> {
  const client = provide(url, 'room', { version, token: 'any' })
  await providerSynced(client)
  const { awareness } = client.provider
  if (awareness === null) throw new Error('a provider without awareness')
  return { clientID: client.doc.clientID, awareness, destroy: client.destroy }
}

/** How each is opened, in `room` of the server. */
export const people = [
  ...clientVersions.map(version => [`y-websocket ${version}`, (url: string) => yWebsocket(url, version)]),
  ...providerVersions.map(version => [`provider ${version}`, (url: string) => hocuspocus(url, version)])
] as [string, (url: string) => Promise<Person>][]

export function stateOf(viewer: Person, { clientID }: Person): unknown {
  return viewer.awareness.getStates().get(clientID)
}

/** Well under the 30 s after which the server pings whoever is silent, and clients forget them. */
const soonMs = 15_000

/** Ends the person's client; fails unless all viewers see that because of it. */
export async function goneSoon(leaving: Person, viewers: readonly Person[]): Promise<void> {
  leaving.destroy()
  await until(() => viewers.every(viewer => stateOf(viewer, leaving) === undefined), 'it to be gone', soonMs)
}
