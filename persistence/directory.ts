/**
 * The directory a LevelDB store lives in: is it ours, may we write it, and the marker that says so. It knows
 * nothing of what lies in the database.
 *
 *   chorus.json       the marker: { "format": "y-chorus store", "version": 1 }. Written last, so it means
 * "complete".
 *   chorus.json.tmp   a first start that has not finished; chorus.copying: a copy that has not finished
 *   log/              the LevelDB
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { StoreError, type StoreErrorCode } from './store.ts'

export const storeFormat = { format: 'y-chorus store', version: 1 } as const

const markerName = 'chorus.json'
const unfinishedStartName = 'chorus.json.tmp'
const unfinishedCopyName = 'chorus.copying'
const logName = 'log'

/** Written beside the store by the server or by the file system: no sign of somebody else's data. */
const harmlessNames: ReadonlySet<string> = new Set(['lost+found', 'control.json', 'control.json.tmp'])

/** `logPath` is where the LevelDB goes; `finish` writes the marker and must be called once it is complete. */
export type ClaimedDirectory = { readonly logPath: string; finish(): Promise<void> }

/**
 * Claims a directory for a store: an existing one of ours, or, unless it has to be there, an empty or a missing one.
 * Rejects with a StoreError.
 */
export async function claimForStore(
  directory: string,
  { mustExist }: { readonly mustExist: boolean }
): Promise<ClaimedDirectory> {
  const path = resolve(directory)
  const names = mustExist ? await listExisting(path) : await listOrCreate(path)
  const logPath = join(path, logName)
  if (names.has(markerName)) {
    await checkMarker(path)
    if (names.has(logName)) return { logPath, finish: async () => {} }
    const text = `${path} is marked as a y-chorus store but its ${logName} is missing. Restore a copy.`
    throw new StoreError('STORE_DAMAGED', text)
  }
  refuseForeign(path, names)
  // Before the database: what a crash leaves from here on is recognised as ours and empty.
  await touching(path, () => writeSynced(path, unfinishedStartName))
  return { logPath, finish: () => touching(path, () => publishMarker(path)) }
}

/** Claims an empty or missing directory for a copy. `abandon` removes what was written there. */
export async function claimForCopy(
  directory: string
): Promise<ClaimedDirectory & { abandon(): Promise<void> }> {
  const path = resolve(directory)
  const names = await listOrCreate(path)
  names.delete('lost+found')
  if (names.size > 0) {
    throw new StoreError('STORE_FOREIGN', `A copy needs an empty directory; ${path} holds ${sample(names)}.`)
  }
  const logPath = join(path, logName)
  const unfinished = join(path, unfinishedCopyName)
  await touching(path, () => writeSynced(path, unfinishedCopyName))
  return {
    logPath,
    async finish() {
      await touching(path, async () => {
        await writeSynced(path, unfinishedStartName)
        await publishMarker(path)
        await rm(unfinished)
      })
    },
    async abandon() {
      await rm(logPath, { recursive: true, force: true })
      await rm(unfinished, { force: true })
    }
  }
}

/** Whoever looks for documents and finds no store has most likely mistyped its name: nothing is made there. */
async function listExisting(path: string): Promise<Set<string>> {
  const names = new Set(await readdir(path).catch(() => []))
  if (names.has(markerName)) return names
  throw new StoreError('STORE_MISSING', `There is no y-chorus store in ${path}; nothing was created.`)
}

async function listOrCreate(path: string): Promise<Set<string>> {
  return touching(path, async () => {
    await createWithParents(path)
    return new Set(await readdir(path))
  })
}

/** Not `mkdir` with `recursive`: below /proc Node 20 tries for ever, with a core at 100 %. */
async function createWithParents(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    // Whether what exists is a directory shows when it is listed.
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await createWithParents(dirname(path))
    await mkdir(path)
  }
}

async function checkMarker(path: string): Promise<void> {
  const text = await touching(path, () => readFile(join(path, markerName), 'utf8'))
  const marker = parseMarker(text)
  if (marker === null) {
    const message = `${join(path, markerName)} is not the marker of a y-chorus store; nothing was written. `
    throw new StoreError(
      'STORE_FOREIGN',
      `${message}Give an empty directory, or restore the marker from a copy.`
    )
  }
  if (marker.version !== storeFormat.version) {
    const message = `${path} has store format ${marker.version}; this version of y-chorus reads format`
    throw new StoreError('STORE_FORMAT', `${message} ${storeFormat.version}. Use the version that wrote it.`)
  }
}

function parseMarker(text: string): { version: number } | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return null
    if (!('format' in value) || value.format !== storeFormat.format) return null
    if (!('version' in value) || typeof value.version !== 'number') return null
    return { version: value.version }
  } catch {
    // Not JSON: not our marker. The caller says so.
    return null
  }
}

function refuseForeign(path: string, names: ReadonlySet<string>): void {
  if (names.has(unfinishedCopyName)) {
    const text = `${path} holds a copy that was interrupted. Delete it and copy again; nothing was written.`
    throw new StoreError('STORE_FOREIGN', text)
  }
  const foreign = new Set(names)
  for (const name of harmlessNames) foreign.delete(name)
  if (foreign.delete(unfinishedStartName)) foreign.delete(logName)
  if (foreign.size === 0) return
  const isLevel = foreign.has('CURRENT') || [...foreign].some(name => name.startsWith('MANIFEST-'))
  const what = isLevel
    ? 'a LevelDB database that y-chorus did not write (perhaps of y-leveldb)'
    : `something that is not a y-chorus store (${sample(foreign)})`
  const text = `${path} holds ${what}; nothing was written to it. Give an empty or a new directory.`
  throw new StoreError('STORE_FOREIGN', text)
}

function sample(names: ReadonlySet<string>): string {
  const shown = [...names].sort().slice(0, 3).join(', ')
  return names.size > 3 ? `${shown} and ${names.size - 3} more` : shown
}

async function publishMarker(path: string): Promise<void> {
  await rename(join(path, unfinishedStartName), join(path, markerName))
  await syncDirectory(path)
}

async function writeSynced(path: string, name: string): Promise<void> {
  const file = await open(join(path, name), 'w')
  try {
    await file.writeFile(`${JSON.stringify(storeFormat)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await syncDirectory(path)
}

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory, and makes renames durable by itself.
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function touching<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const isFull =
      error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
    const code: StoreErrorCode = isFull ? 'STORE_FULL' : 'STORE_UNWRITABLE'
    throw new StoreError(code, `The directory ${path} cannot be created or written: ${reason}`, {
      cause: error
    })
  }
}
