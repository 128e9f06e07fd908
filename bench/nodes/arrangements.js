/** What is measured side by side: one node or three, on which store, told over which bus; and Hocuspocus likewise. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hocuspocus, yWebsocket } from '../load/wire.js'

const here = name => fileURLToPath(new URL(name, import.meta.url))
const command = here('../../dist/command.cjs')
const node24 = here('../node_modules/node/bin/node')

/** `program({ services, directory, schema })`: what each of the nodes runs. `count`: how many there are. */
export const arrangements = {
  'one-level': {
    title: 'one node, LevelDB',
    count: 1,
    dialect: yWebsocket,
    program: async ({ directory }) => [command, '--port', '0', '--data', join(directory, 'data')]
  },
  'one-postgres': {
    title: 'one node, PostgreSQL',
    count: 1,
    dialect: yWebsocket,
    program: async parts => [command, '--port', '0', '--data', await databaseOf(parts)]
  },
  'one-redis': { title: 'one node, PostgreSQL, Redis', ...chorus(1, 'redis') },
  'three-redis': { title: 'three nodes, PostgreSQL, Redis', ...chorus(3, 'redis') },
  'three-nats': { title: 'three nodes, PostgreSQL, NATS', ...chorus(3, 'nats') },
  'three-rabbitmq': { title: 'three nodes, PostgreSQL, RabbitMQ', ...chorus(3, 'rabbitmq') },
  'hocuspocus-one': { title: 'one Hocuspocus, PostgreSQL', ...peer(1, false) },
  'hocuspocus-redis': { title: 'three Hocuspocus, PostgreSQL, Redis', ...peer(3, true) }
}

function chorus(count, bus) {
  return {
    count,
    dialect: yWebsocket,
    program: async parts => {
      const { url } = await parts.services.get(bus)
      return [command, '--port', '0', '--data', await databaseOf(parts), '--bus', url]
    }
  }
}

function peer(count, hasRedis) {
  return {
    count,
    dialect: hocuspocus,
    isPeer: true,
    node: node24,
    program: async parts => {
      const redis = hasRedis ? ['--redis', (await parts.services.get('redis')).url] : []
      return [here('../servers/hocuspocus.js'), '--postgres', await databaseOf(parts), ...redis]
    }
  }
}

async function databaseOf({ services, schema }) {
  return (await services.get('postgres')).url(schema)
}
