/** The encoder of a member that is sent nothing, or one kind of message alone. */
import type { Frame } from './frame.ts'
import type { Encoder } from './message.ts'

const silence: Frame = []
const nothing = () => silence

/** `says`: what it writes all the same. */
export function silentEncoder(key: string, says: Partial<Omit<Encoder, 'key'>> = {}): Encoder {
  return {
    key,
    syncStep1: nothing,
    update: nothing,
    endMarker: nothing,
    awareness: nothing,
    queryAwareness: () => null,
    keepAlive: nothing,
    denied: nothing,
    // A question would not be answered.
    asksBack: true,
    saved: () => null,
    notSaved: () => null,
    acknowledged: nothing,
    notTaken: nothing,
    ...says
  }
}
