/**
 * How restores and named versions stand in a manifest. What is written there before the commit says, after a crash between
 * any two steps, whether the commit was and what it was made of. Pure: each function returns a new manifest.
 */
import type { BlobEntry, Manifest, RestoreEntry, RestoreTry, Version } from './manifest.ts'

type Bounds = {
  readonly restoresMax: number
  readonly restoreTriesMax: number
  readonly restoreVersionsMax: number
}

/** The blob of what a try copies; `replaces`: the numbers of those whose copies it holds as well. */
export type NewCopies = { readonly entry: BlobEntry; readonly replaces: readonly number[] }

/** What is about to be committed. `copies`: null: it copies nothing. */
export type Beginning = {
  readonly key: string
  readonly asked: string
  readonly client: number
  readonly copies: NewCopies | null
  /** The document before it. One that an earlier try has named stays instead. */
  readonly version: Version
  /** Clients of earlier tries that are known to have failed. */
  readonly failed: readonly number[]
}

/** Null: no restore with this key is known. */
export function restoreWith(manifest: Manifest, key: string): RestoreEntry | null {
  return manifest.restores.find(entry => entry.key === key) ?? null
}

/** The try that the document with this state vector has; null: none, as far as it is known. */
export function committedTry(
  entry: RestoreEntry | null,
  vector: ReadonlyMap<number, number>
): RestoreTry | null {
  return entry?.tries.find(({ client }) => vector.has(client)) ?? null
}

/** One more try, of a restore that is not over. */
export function withTry(before: Manifest, beginning: Beginning, bounds: Bounds): Manifest {
  const { key, asked, client, copies, version, failed } = beginning
  const manifest = withoutTries(before, key, failed)
  const earlier = restoreWith(manifest, key)
  const known = manifest.versions.find(({ id }) => id === earlier?.version)
  // One that holds what others copied as well stays if this try fails: what never came is counted as absent.
  const own = copies === null || copies.replaces.length > 0 ? null : copies.entry.blob
  const tries = [...(earlier?.tries ?? []), { client, copies: own }]
  const entry: RestoreEntry = {
    ...{ key, asked, tries: tries.slice(-bounds.restoreTriesMax) },
    ...{ sequence: null, version: (known ?? version).id, timeMs: version.timeMs }
  }
  return {
    ...manifest,
    copies: withCopies(manifest.copies, copies),
    restores: withEntry(manifest, entry, bounds),
    versions: known === undefined ? withAutomatic(manifest.versions, version, bounds) : manifest.versions
  }
}

/** It is over: the record of this number is this try's. The version before it is what was there up to that record. */
export function committed(
  manifest: Manifest,
  key: string,
  { client, sequence }: { readonly client: number; readonly sequence: number }
): Manifest {
  const entry = restoreWith(manifest, key)
  if (entry === null) return manifest
  const others = entry.tries.filter(each => each.client !== client)
  const cleared = withoutTries(
    manifest,
    key,
    others.map(each => each.client)
  )
  return {
    ...cleared,
    restores: replaced(cleared, key, each => ({ ...each, sequence })),
    versions: cleared.versions.map(version =>
      version.id === entry.version
        ? { ...version, sequence: Math.max(version.sequence, sequence - 1) }
        : version
    )
  }
}

/** It is over, and nothing had to be changed. */
export function unchanged(
  manifest: Manifest,
  entry: Pick<RestoreEntry, 'key' | 'asked' | 'timeMs'> & { readonly sequence: number },
  bounds: Bounds
): Manifest {
  const cleared = abandoned(manifest, entry.key)
  return { ...cleared, restores: withEntry(cleared, { ...entry, tries: [], version: null }, bounds) }
}

/** As if it had never begun: none of its tries was committed, nor will be. */
export function abandoned(manifest: Manifest, key: string): Manifest {
  const entry = restoreWith(manifest, key)
  if (entry === null) return manifest
  const clients = entry.tries.map(({ client }) => client)
  const cleared = withoutTries(manifest, key, clients)
  return {
    ...cleared,
    restores: cleared.restores.filter(each => each !== restoreWith(cleared, key)),
    versions: cleared.versions.filter(({ id }) => id !== entry.version)
  }
}

/** Tries that are known to have failed, and what they would have copied. */
export function withoutTries(manifest: Manifest, key: string, clients: readonly number[]): Manifest {
  const entry = restoreWith(manifest, key)
  if (entry === null || clients.length === 0) return manifest
  const isFailed = ({ client }: RestoreTry) => clients.includes(client)
  const blobs = entry.tries.flatMap(each => (isFailed(each) ? (each.copies ?? []) : []))
  return {
    ...manifest,
    copies: manifest.copies.filter(({ blob }) => !blobs.includes(blob)),
    restores: replaced(manifest, key, each => ({ ...each, tries: each.tries.filter(one => !isFailed(one)) }))
  }
}

/** The newest ones are kept; of the same key only this. */
function withEntry(
  manifest: Manifest,
  entry: RestoreEntry,
  { restoresMax }: Bounds
): readonly RestoreEntry[] {
  const others = manifest.restores.filter(({ key }) => key !== entry.key)
  return [...others, entry].slice(-restoresMax)
}

function replaced(
  manifest: Manifest,
  key: string,
  change: (entry: RestoreEntry) => RestoreEntry
): readonly RestoreEntry[] {
  return manifest.restores.map(entry => (entry.key === key ? change(entry) : entry))
}

/** Of those that the server named, the newest. */
function withAutomatic(
  versions: readonly Version[],
  version: Version,
  { restoreVersionsMax }: Bounds
): readonly Version[] {
  const automatic = versions.filter(({ kind }) => kind === version.kind)
  const old = new Set(automatic.slice(0, Math.max(0, automatic.length + 1 - restoreVersionsMax)))
  return [...versions.filter(each => !old.has(each)), version]
}

function withCopies(before: readonly BlobEntry[], copies: NewCopies | null): readonly BlobEntry[] {
  if (copies === null) return before
  return [...before.filter(({ blob }) => !copies.replaces.includes(blob)), copies.entry]
}

/** Named by somebody; null: there are as many as there may be. */
export function withNamed(manifest: Manifest, version: Version, versionsMax: number): Manifest | null {
  const named = manifest.versions.filter(({ kind }) => kind === 'named')
  return named.length >= versionsMax ? null : { ...manifest, versions: [...manifest.versions, version] }
}

/** Null: there is none with this id. What is left of a restore then names none. */
export function withoutVersion(manifest: Manifest, id: string): Manifest | null {
  const versions = manifest.versions.filter(version => version.id !== id)
  return versions.length === manifest.versions.length ? null : { ...manifest, versions }
}
