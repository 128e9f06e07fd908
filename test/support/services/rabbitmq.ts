/**
 * A RabbitMQ server without systemd: its own home (for its cookie), node name and port mapper, so that it meets no other one
 * on this machine. Debian's command in the path would change to another user and drop the environment.
 */
import type { ChildProcess } from 'node:child_process'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exited, findService, freePort, launch, type Service, serviceDirectory } from './service.ts'

export const rabbitPath = findService('rabbitmq-server', ['/usr/lib/rabbitmq/bin/rabbitmq-server'])

export async function startRabbit(): Promise<Service> {
  const directory = serviceDirectory('rabbitmq')
  const [port, distribution, mapper] = [await freePort(), await freePort(), await freePort()]
  const env = environment(directory, { port, distribution, mapper })
  const start = () => launch({ command: rabbitPath ?? '', args: [], directory, port, env })
  let child = await start()
  return {
    port,
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    pid: () => broker(directory),
    signal: name => void process.kill(broker(directory), name),
    kill: () => kill(directory, child),
    restart: async () => {
      rmSync(join(directory, 'mnesia'), { recursive: true, force: true })
      child = await start()
    },
    stop: async () => {
      await kill(directory, child)
      execFileSync('epmd', ['-port', String(mapper), '-kill'], { env, stdio: 'ignore' })
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

type Ports = { readonly port: number; readonly distribution: number; readonly mapper: number }

function environment(directory: string, { port, distribution, mapper }: Ports): Record<string, string> {
  const settings = join(directory, 'rabbitmq.conf')
  const plugins = join(directory, 'enabled_plugins')
  writeFileSync(
    settings,
    `listeners.tcp.1 = 127.0.0.1:${port}\nlog.console = true\nlog.console.level = warning\n`
  )
  writeFileSync(plugins, '[].\n')
  return {
    PATH: process.env.PATH ?? '',
    LANG: 'C.UTF-8',
    HOME: directory,
    RABBITMQ_NODENAME: `chorus${port}@localhost`,
    RABBITMQ_CONFIG_FILE: settings,
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory, 'logs'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_CTL_ERL_ARGS: '',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // So that the one of this test may be ended.
    ERL_EPMD_RELAXED_COMMAND_CHECK: '1'
  }
}

/** The Erlang machine, which the script may have started as a child. */
function broker(directory: string): number {
  const folder = join(directory, 'mnesia')
  const file = readdirSync(folder).find(name => name.endsWith('.pid'))
  return Number(readFileSync(join(folder, file ?? ''), 'utf8'))
}

async function kill(directory: string, child: ChildProcess): Promise<void> {
  for (const end of [() => process.kill(broker(directory), 'SIGKILL'), () => child.kill('SIGKILL')]) {
    try {
      end()
    } catch {
      // It has gone already.
    }
  }
  await exited(child)
}
