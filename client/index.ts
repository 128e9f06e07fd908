/** The client: what applications import as `y-chorus/client`. */
export type { Environment, PageEvents } from './environment.ts'
export type { Token } from './link.ts'
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
