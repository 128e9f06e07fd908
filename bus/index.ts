/** The public API of the buses: re-exports only. */
export { bounds as busBounds } from './bounds.ts'
export type {
  Bus,
  BusCounts,
  BusErrorCode,
  BusOptions,
  BusReport,
  BusStatus,
  OnMessage,
  Unsubscribe
} from './bus.ts'
export { BusError, busErrorCodes } from './bus.ts'
export {
  createMemoryBroker,
  type MemoryBroker,
  type MemoryBrokerOptions,
  type MemoryFaults
} from './memory.ts'
export { openBus } from './open.ts'
export { type Pulse, type PulseOptions, type PulseState, startPulse } from './pulse.ts'
export {
  type OnSealed,
  type SealedBus,
  type SealedCounts,
  type SealedMessage,
  type SealedOptions,
  sealBus
} from './sealed.ts'
export type { BusTime } from './time.ts'
