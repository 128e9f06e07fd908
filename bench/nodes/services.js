/** The real services that nodes need, as the tests start them: in temporary directories, on free ports of this machine. */
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const tests = fileURLToPath(new URL('../../test/support/services/', import.meta.url))

/** Each resolves to `{ url, stop }`; PostgreSQL has `url(schema)`. */
const starters = {
  postgres: async () => (await load('postgres')).startPostgres(),
  redis: async () => (await load('redis')).startRedis(),
  nats: async () => (await load('nats')).startNats(),
  rabbitmq: async () => (await load('rabbitmq')).startRabbit()
}

/** Starts each when it is asked for first. */
export class Services {
  #started = new Map()

  /** Somebody has asked for it. */
  has(name) {
    return this.#started.has(name)
  }

  get(name) {
    if (!this.#started.has(name)) this.#started.set(name, starters[name]())
    return this.#started.get(name)
  }

  async stop() {
    for (const service of this.#started.values()) await (await service).stop()
  }
}

async function load(name) {
  const { module } = await runnerImport(`${tests}${name}.ts`, { logLevel: 'error' })
  return module
}
