/** A NATS server. */
import { findService, type Service, startSimple } from './service.ts'

export const natsPath = findService('nats-server', ['/usr/sbin/nats-server', '/usr/local/bin/nats-server'])

export function startNats(settings: readonly string[] = []): Promise<Service> {
  return startSimple({
    name: 'nats',
    command: natsPath ?? '',
    scheme: 'nats',
    args: port => ['--addr', '127.0.0.1', '--port', String(port), ...settings]
  })
}
