/** HAProxy and nginx, with the settings that docs/scaling.md shows: only addresses and ports are those of the test. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readText } from '../../house/source.ts'
import { exited, findService, freePort, launch, serviceDirectory } from './service.ts'

export type Balancer = {
  readonly url: string
  /** What it has logged. */
  log(): string
  stop(): Promise<void>
}

export type BalancerName = 'haproxy' | 'nginx'

const paths = {
  haproxy: findService('haproxy', ['/usr/sbin/haproxy']),
  nginx: findService('nginx', ['/usr/sbin/nginx'])
}

export function balancerPath(name: BalancerName): string | null {
  return paths[name]
}

/** The block of the page that is marked with the balancer's name. */
export function settingsOf(name: BalancerName): string {
  const block = new RegExp(`^\`\`\`${name}\n([\\s\\S]*?)^\`\`\``, 'm').exec(readText('docs/scaling.md'))
  if (block?.[1] === undefined) throw new Error(`docs/scaling.md has no block for ${name}`)
  return block[1]
}

/** In front of nodes at these ports, which stand where the page names 10.0.0.1 and so on. */
export async function startBalancer(name: BalancerName, ports: readonly number[]): Promise<Balancer> {
  const directory = serviceDirectory(name)
  const port = await freePort()
  const path = join(directory, 'settings')
  writeFileSync(
    path,
    (name === 'haproxy' ? haproxy : nginx)(placed(settingsOf(name), port, ports), directory)
  )
  const args =
    name === 'haproxy' ? ['-db', '-f', path] : ['-p', directory, '-c', path, '-e', join(directory, 'log')]
  const child = await launch({ command: paths[name] ?? '', args, directory, port })
  return {
    url: `http://127.0.0.1:${port}`,
    log: () => readFileSync(join(directory, 'log'), 'utf8'),
    stop: async () => {
      // Its workers go with it.
      child.kill('SIGTERM')
      await exited(child)
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

function placed(settings: string, port: number, ports: readonly number[]): string {
  const withNodes = ports.reduce(
    (text, each, i) => text.replaceAll(`10.0.0.${i + 1}:1234`, `127.0.0.1:${each}`),
    settings
  )
  const all = withNodes
    .replace('bind :80', `bind 127.0.0.1:${port}`)
    .replace('listen 80', `listen 127.0.0.1:${port}`)
  if (/10\.0\.0|:80\b| 80;/.test(all)) throw new Error(`an address of the page is still there:\n${all}`)
  return all
}

function haproxy(settings: string): string {
  return settings
}

/** A file of its own, beside no other site. */
function nginx(settings: string, directory: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${directory}/pid;
events {}
http {
access_log off;
${temporary.map(each => `${each}_temp_path ${directory}/${each};`).join('\n')}
${settings}}
`
}
