/** A Redis server that keeps nothing. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findService, type Service, startSimple } from './service.ts'

export const redisPath = findService('redis-server', ['/usr/bin/redis-server', '/usr/local/bin/redis-server'])

/** `settings`: more arguments of the command. */
export function startRedis(settings: readonly string[] = []): Promise<Service> {
  return startSimple({
    name: 'redis',
    command: redisPath ?? '',
    scheme: 'redis',
    args: (port, directory) => [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory],
      ...['--save', '', '--appendonly', 'no', '--daemonize', 'no', ...settings]
    ]
  })
}

/** The same program watching others. It writes what it learns into its settings. */
export function startSentinel(settings: readonly string[]): Promise<Service> {
  return startSimple({
    name: 'sentinel',
    command: redisPath ?? '',
    scheme: 'redis+sentinel',
    args: (port, directory) => {
      const path = join(directory, 'sentinel.conf')
      writeFileSync(path, [`port ${port}`, 'bind 127.0.0.1', ...settings, ''].join('\n'))
      return [path, '--sentinel']
    }
  })
}
