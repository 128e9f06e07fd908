// What the page asks of the server about its child (src/chaos in the server).

export type Refusal = 'off' | 'elsewhere' | 'other-origin'

export type ChildState =
  | { readonly isAllowed: false; readonly refusal: Refusal }
  | {
      readonly isAllowed: true
      readonly phase: 'none' | 'up' | 'down' | 'stopped'
      readonly pid: number | null
      readonly restartsLeft: number
    }

export type Killed = {
  readonly pidBefore: number
  readonly pidAfter: number
  readonly downMs: number
  readonly restartsLeft: number
}

/** Thrown when the server says no, or is no server with a Chaos page. The message is for people. */
export class ChildError extends Error {}

/** Each call rejects with a TypeError when nobody answers, and with ChildError when the answer is no. */
export const childServer = {
  state: () => ask<ChildState>('./chaos', 'GET'),
  start: () => ask<ChildState>('./chaos/start', 'POST'),
  kill: () => ask<Killed>('./chaos/kill', 'POST')
}

async function ask<Answer>(path: string, method: 'GET' | 'POST'): Promise<Answer> {
  const response = await fetch(path, { method })
  const body: unknown = await response.json().catch(() => null)
  if (response.ok && body !== null) return body as Answer
  const message = typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : ''
  throw new ChildError(message === '' ? `the server answered ${response.status}` : message)
}
