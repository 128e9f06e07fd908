/**
 * How a command on the same machine speaks to the running server: a file in the data directory, readable by the
 * server's own user only, with its address and a token. No listener of its own, and no token on any command line.
 */
import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Control = { readonly url: string; readonly token: string }

const fileName = 'control.json'

/** A new token, of 256 bits. */
export function createControlToken(): string {
  return randomBytes(32).toString('base64url')
}

/** Replaces the file at once, so that a reader sees a whole one. */
export async function writeControl(dataDirectory: string, control: Control): Promise<void> {
  const file = join(dataDirectory, fileName)
  await writeFile(`${file}.tmp`, `${JSON.stringify(control)}\n`, { mode: 0o600 })
  await rename(`${file}.tmp`, file)
}

export async function removeControl(dataDirectory: string): Promise<void> {
  await rm(join(dataDirectory, fileName), { force: true })
}

/** `null` when no server has left one (or it left one that cannot be read). */
export async function readControl(dataDirectory: string): Promise<Control | null> {
  try {
    const value: unknown = JSON.parse(await readFile(join(dataDirectory, fileName), 'utf8'))
    if (typeof value !== 'object' || value === null || !('url' in value) || !('token' in value)) return null
    return { url: String(value.url), token: String(value.token) }
  } catch {
    // Missing, unreadable or torn: in each case there is nobody to speak to.
    return null
  }
}
