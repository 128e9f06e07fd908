/** Asks the server that runs on a directory, with the token that it has left there. */
import { directoryOfStore } from '../../persistence/index.ts'
import { readControl } from '../http/control.ts'

/** Null when nobody answers: the server is gone and has left its file behind. `path`: below `/api/`. */
export async function askServer<T>(data: string, path: string, body: object): Promise<T | null> {
  const directory = directoryOfStore(data)
  const control = directory === null ? null : await readControl(directory)
  if (control === null) return null
  const response = await fetch(`${control.url}/api/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${control.token}` },
    body: JSON.stringify(body)
  }).catch(() => null)
  // Another server at that address does not know the token, or nothing of this.
  if (response === null || response.status === 401) return null
  const answer = (await response.json()) as T & { message?: string }
  if (!response.ok) throw new Error(answer.message ?? `the server answered ${response.status}`)
  return answer
}
