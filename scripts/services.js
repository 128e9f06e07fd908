/** Services for the tests: what is installed, else Debian's packages where we may install them. test/support/services starts them. */
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installPackages } from './debian.js'
import { SetupError, say } from './run.js'

/** A package of Debian, and whether what it brings is there, as test/support/services looks for it. */
const services = [
  { name: 'postgresql', isThere: () => findPostgres() !== null },
  { name: 'redis-server', isThere: () => existsSync('/usr/bin/redis-server') },
  { name: 'nats-server', isThere: () => existsSync('/usr/sbin/nats-server') },
  { name: 'kcat', isThere: () => existsSync('/usr/bin/kcat') },
  { name: 'rabbitmq-server', isThere: () => existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server') },
  { name: 'haproxy', isThere: () => existsSync('/usr/sbin/haproxy') },
  { name: 'nginx', isThere: () => existsSync('/usr/sbin/nginx') }
]

export function ensureServices() {
  const wanted = missing()
  if (wanted.length === 0) return
  try {
    installPackages(wanted, 'the tests of stores, buses and nodes')
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    error.report()
  }
  const names = missing().join(', ')
  if (names !== '') say(`*** NO ${names}: the tests that need them cannot run ***`)
}

function missing() {
  return services.filter(({ isThere }) => !isThere()).map(({ name }) => name)
}

/** The folder with PostgreSQL's programs, the newest version first, or null. */
export function findPostgres() {
  const folder = '/usr/lib/postgresql'
  const versions = existsSync(folder) ? readdirSync(folder) : []
  const newestFirst = versions
    .sort((a, b) => Number(b) - Number(a))
    .map(version => join(folder, version, 'bin'))
  const candidates = [...newestFirst, ...(process.env.PATH ?? '').split(delimiter)]
  return candidates.find(each => ['initdb', 'postgres'].every(name => existsSync(join(each, name)))) ?? null
}
