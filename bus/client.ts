/** Clients of brokers are optional packages: loaded when they are asked for, and what they say in words without secrets. */
import { BusError } from './bus.ts'

/** What `load` resolves to. Rejects with BUS_CLIENT_MISSING when the package is not installed. */
export async function loadClient<Client>(packageName: string, load: () => Promise<Client>): Promise<Client> {
  try {
    return await load()
  } catch (cause) {
    if (!isMissing(cause, packageName)) throw cause
    throw new BusError(
      'BUS_CLIENT_MISSING',
      `This bus needs the package ${packageName}, which is not installed. Run: npm install ${packageName}`,
      { cause }
    )
  }
}

/** Not one of the packages that it needs itself: that would be a broken installation, and another command. */
function isMissing(error: unknown, packageName: string): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  const isNotFound = error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND'
  return isNotFound && error.message.includes(`'${packageName}'`)
}

/**
 * Why a connection failed, in a word or two: a code, or the kind of the error. Never its message, which may repeat what was
 * sent.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if ('code' in error && typeof error.code === 'string') return error.code
  // Redis begins its answers with a code.
  const [code] = /^[A-Z]{4,}(?= )/.exec(error.message) ?? []
  if (code !== undefined) return code
  return error.cause === undefined ? error.name : reasonOf(error.cause)
}
