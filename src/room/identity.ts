/**
 * Who an awareness state says it is. Where the server stamps it, `user.id` and `user.name` are those of the grant,
 * whatever the client wrote there; the rest of `user` (a colour, a picture) and of the state is the client's.
 */
import { Fault } from '../base/errors.ts'

/** What a room knows of whoever a member is. */
export type Identity = { readonly id: string; readonly name?: string | undefined }

/**
 * The state (UTF-8 JSON) with the identity in it. A state that holds it already comes back byte for byte: its owner is
 * sent it, echoes it, and that must not look like a change. Null: nobody, who has neither id nor name. Throws
 * ERR_BAD_MESSAGE when the state is no JSON that could be written again.
 */
export function stamped(state: Uint8Array, identity: Identity | null): Uint8Array {
  try {
    const value: unknown = JSON.parse(utf8.decode(state))
    if (value === null) return state
    const fields = fieldsOf(value)
    const { id: _id, name: _name, ...own } = fieldsOf(fields.user)
    const user = identity === null ? own : { ...own, id: identity.id, name: identity.name ?? identity.id }
    return Buffer.from(JSON.stringify({ ...fields, user }))
  } catch (cause) {
    throw new Fault('ERR_BAD_MESSAGE', 'an awareness state that is not JSON', { cause })
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}
