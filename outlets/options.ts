/** What all outlets may be told, and how an address says it: behind its `#`, which is sent to nobody. */
import { bounds } from './bounds.ts'
import { documentEventTypes, type EventType, memberEventTypes, type Outlet, OutletError } from './outlet.ts'

export type OutletOptions = {
  /** Default: the kind, and where it goes, without what may be secret. */
  readonly name?: string
  /** Patterns of the names of documents, as in a token. Default: all. */
  readonly documents?: readonly string[]
  /** Default: `document.created`, `document.changed` and `document.deleted`. */
  readonly types?: readonly EventType[]
}

const eventTypes: readonly string[] = [...documentEventTypes, ...memberEventTypes]

/** Throws OutletError with `isFinal` for what cannot be. */
export function namedOutlet(
  { name, documents, types }: OutletOptions,
  usualName: string
): Pick<Outlet, 'name' | 'documents' | 'types'> {
  const shown = name ?? usualName.slice(0, bounds.nameLengthMax)
  if (shown === '' || shown.length > bounds.nameLengthMax)
    throw wrong(`a name has 1 to ${bounds.nameLengthMax} characters`)
  const unknown = types?.find(type => !eventTypes.includes(type))
  if (unknown !== undefined)
    throw wrong(`there is no type ${JSON.stringify(unknown)}; there is ${eventTypes.join(', ')}`)
  return {
    name: shown,
    ...(documents === undefined ? {} : { documents }),
    ...(types === undefined ? {} : { types })
  }
}

export type Location = {
  /** Without what stands behind `#`. */
  readonly address: string
  readonly options: OutletOptions
  /** What else stands behind `#`, for the kind of outlet. */
  readonly rest: ReadonlyMap<string, string>
}

/** `documents` and `types` may be repeated. Throws OutletError with `isFinal` for a setting that is not among `known`. */
export function parseLocation(text: string, known: readonly string[]): Location {
  const at = text.indexOf('#')
  const address = at === -1 ? text : text.slice(0, at)
  const settings = new URLSearchParams(at === -1 ? '' : text.slice(at + 1))
  const all = ['name', 'documents', 'types', ...known]
  for (const name of settings.keys()) {
    if (!all.includes(name))
      throw wrong(`there is no ${JSON.stringify(name.slice(0, 40))}; there is ${all.join(', ')}`)
  }
  const name = settings.get('name')
  const documents = settings.getAll('documents')
  const types = settings.getAll('types') as EventType[]
  const options = {
    ...(name === null ? {} : { name }),
    ...(documents.length === 0 ? {} : { documents }),
    ...(types.length === 0 ? {} : { types })
  }
  return { address, options, rest: new Map([...settings].filter(([key]) => known.includes(key))) }
}

/** Host and path of an address, without whoever signs in and without its query. */
export function shownAddress(address: string): string {
  const [, scheme = '', hosts = '', path = ''] =
    /^([^:]+):\/\/(?:[^@/?]*@)?([^/?]*)(\/[^?]*)?/.exec(address) ?? []
  return `${scheme}://${hosts}${path === '/' ? '' : path}`
}

/** Of the settings, not of what happens later. */
export function wrong(why: string): OutletError {
  return new OutletError(`The outlet cannot be used: ${why}.`, { isFinal: true })
}

/** What `load` resolves to. Rejects when the package is not installed. */
export async function loadPackage<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const isMissing = (cause as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND'
    if (!isMissing) throw cause
    throw new OutletError(`The outlet needs a package that is not installed: ${name}`, {
      isFinal: true,
      cause
    })
  }
}
