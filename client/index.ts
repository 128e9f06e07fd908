/** The client: what applications import as `y-chorus/client`. */
export type { Environment, PageEvents } from './environment.ts'
export type { Token } from './link.ts'
export type { KeepingProblem } from './local-copy.ts'
export {
  ChorusProvider,
  type ChorusProviderEvents,
  type ChorusProviderOptions,
  NotSavedError,
  type RefusedEvent
} from './provider.ts'
export { ChorusSocket, type ChorusSocketOptions } from './shared-socket.ts'
export type { ConnectionState, SavedState, Status } from './status.ts'
export type { Attempt, Channel, ChannelEvents, Closed, Transport } from './transport.ts'
export type { SocketClass } from './web-socket.ts'

/** Removes what every document of this origin has kept on this device, as when somebody signs out. */
export async function forgetLocalCopies(): Promise<void> {
  const { forgetAll } = await import('./local-copy.ts')
  await forgetAll()
}
