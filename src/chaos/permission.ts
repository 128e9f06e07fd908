/**
 * Who may start and kill the child server of the Chaos page. A process that strangers can start is a gift to them, so
 * without a word of the operator it is for this machine only. It knows headers and settings, nothing of processes.
 */
import { isFromElsewhere, isLoopback, isOwnOrigin } from '../access/gate.ts'

/** `auto`: while the server listens on this machine only and asks nobody who they are. */
export type ChaosSetting = 'auto' | 'on' | 'off'

export type Permission = 'nobody' | 'this-machine' | 'everybody'

/** Why a request is refused: switched off, came from elsewhere, or was sent by a page of another origin. */
export type Refusal = 'off' | 'elsewhere' | 'other-origin'

type Settings = {
  readonly chaos?: ChaosSetting
  readonly authorize?: unknown
  readonly pages?: string | null
}

type Header = (name: string) => string | undefined

/** `host` is the address listened on; null where the application has a server of its own, of which we know nothing. */
export function permissionOf({ chaos = 'off', authorize, pages }: Settings, host: string | null): Permission {
  if (pages === null) return 'nobody'
  switch (chaos) {
    case 'off':
      return 'nobody'
    case 'on':
      return 'everybody'
    case 'auto':
      // Where there are rules for who may come, this is one that the operator has to make.
      return host !== null && isLoopback(host) && authorize === undefined ? 'this-machine' : 'nobody'
    default:
      return chaos satisfies never
  }
}

/** Why this request may not even ask how things stand; null when it may. */
export function refusalToLook(permission: Permission, header: Header): Refusal | null {
  if (permission === 'nobody') return 'off'
  if (permission === 'everybody') return null
  return header('host') === undefined || isFromElsewhere(header) ? 'elsewhere' : null
}

/** Why this request may change nothing; null when it may. Browsers name the page's origin and no page can forge it. */
export function refusalToAct(permission: Permission, header: Header): Refusal | null {
  const refusal = refusalToLook(permission, header)
  if (refusal !== null) return refusal
  return isOwnOrigin(header('origin'), header('host')) ? null : 'other-origin'
}
