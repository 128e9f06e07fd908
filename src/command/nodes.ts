/** From settings to the options of a server among others; and `y-chorus cluster`. */
import { directoryOfStore, openStore } from '../../persistence/index.ts'
import { renewClusterIdentity } from '../cluster/identity.ts'
import type { ServerOptions } from '../options.ts'
import { type Config, ConfigError } from './config.ts'

/** Throws ConfigError for a bus between servers of which there can be only one. */
export function nodeOptions({ bus, nodeName, data }: Config): Pick<ServerOptions, 'bus' | 'nodeName'> {
  if (bus !== '' && isOfOne(data)) {
    throw new ConfigError(
      `--bus is for several servers on the same documents, and --data is ${data}, which one server has at a time; ` +
        'give --data postgres://…'
    )
  }
  return { ...(bus === '' ? {} : { bus }), ...(nodeName === '' ? {} : { nodeName }) }
}

/** Resolves to what is to be said of it. */
export async function newClusterId({ data }: Config): Promise<string> {
  if (isOfOne(data)) throw new ConfigError(`cluster new-id is for --data postgres://…, not for ${data}`)
  const store = await openStore(data, { create: false })
  try {
    const id = await renewClusterIdentity(store)
    return `the cluster of these documents is now ${id}; servers that run on them must be restarted`
  } finally {
    await store.close()
  }
}

function isOfOne(data: string): boolean {
  return data === ':memory:' || directoryOfStore(data) !== null
}
