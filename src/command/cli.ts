#!/usr/bin/env node
/** The command `y-chorus`: reads settings, starts the server, makes backups. The only file that ends the process. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { BusError } from '../../bus/index.ts'
import { copyStore, directoryOfStore, openStore, StoreError, shownStore } from '../../persistence/index.ts'
import { exchange } from '../access/request.ts'
import { createLog } from '../base/log.ts'
import { readControl } from '../http/control.ts'
import type { Server, ServerOptions } from '../options.ts'
import { createServer, demoDirectory } from '../server.ts'
import {
  type Config,
  ConfigError,
  flagOf,
  readConfig,
  type SettingName,
  settings,
  variableOf
} from './config.ts'
import { demoHistoryRules } from './demo-history.ts'
import { askHistory, HistoryUsage, usageOf } from './history.ts'
import { newClusterId, nodeOptions } from './nodes.ts'
import { dropSetAside, listSetAside, showSetAside } from './set-aside.ts'
import { accessOptions, tokenFor } from './sign-in.ts'

/** A disk of any size is copied within this. */
const backupTimeoutMs = 7 * 24 * 3_600_000

const exitCodes = { failed: 1, usage: 2 } as const

/** What went wrong in one sentence, and the exit code. */
class CommandError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

const optionOf = (name: SettingName) => flagOf(name).slice(2)

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args)
  if (values.version === true) return print(version())
  const [command = 'serve', ...operands] = positionals
  if (values.help === true) return print(command === 'history' ? usageOf(operands[0]) : helpText())
  if (command !== 'history' && [values.url, values.json, values.key].some(value => value !== undefined))
    throw usage('only history takes --url, --json and --key')
  const config = readConfig(flagsOf(values), process.env)
  switch (command) {
    case 'serve':
      if (operands.length > 0) throw usage(`serve takes no "${operands[0]}"`)
      return serve(config)
    case 'backup':
      if (operands.length !== 1) throw usage('backup takes one directory: y-chorus backup <directory>')
      return backup(config, resolve(operands[0] as string))
    case 'set-aside':
      return setAside(storeOf(config), operands)
    case 'history':
      return history(storeOf(config), operands, values)
    case 'cluster':
      if (operands.length !== 1 || operands[0] !== 'new-id') throw usage('cluster takes new-id')
      return print(await newClusterId(config))
    case 'token':
      return token(config, operands, flagsOf(values).history)
    default:
      throw usage(`there is no command "${command}"`)
  }
}

function parse(args: readonly string[]) {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string; multiple?: boolean }> = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
    url: { type: 'string' },
    json: { type: 'boolean' },
    key: { type: 'string' }
  }
  for (const name of Object.keys(settings) as SettingName[]) {
    options[optionOf(name)] = { type: 'string', multiple: Array.isArray(settings[name].fallback) }
  }
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) {
    // parseArgs explains at length; its first sentence says which option it was.
    throw usage(firstSentence(error instanceof Error ? error.message : String(error)))
  }
}

function flagsOf(values: Readonly<Record<string, unknown>>): Parameters<typeof readConfig>[0] {
  const flags: Partial<Record<SettingName, string | string[]>> = {}
  for (const name of Object.keys(settings) as SettingName[]) {
    const value = values[optionOf(name)]
    if (typeof value === 'string' || Array.isArray(value)) flags[name] = value
  }
  return flags
}

async function serve(config: Config): Promise<void> {
  const log = createLog(config.logLevel, process.stderr)
  const { host, port, data, durability, path, hocuspocus, mcp, chaos, limit: limits } = config
  const pages = pagesOf(config)
  const own = {
    host,
    port,
    data,
    durability,
    path,
    hocuspocus,
    mcp: mcp === 'on',
    chaos,
    limits,
    log,
    ...pages
  }
  const others = { ...nodeOptions(config), ...accessOptions(config, log), ...historyOptions(config) }
  const server = createServer({ ...own, ...others })
  const url = await server.listen().catch((error: unknown) => {
    throw new CommandError(explain(error, config), exitCodes.failed)
  })
  stopOnSignal(server)
  if (config.data === ':memory:')
    print('documents are kept in memory only and are gone when the server stops')
  else print(`documents are kept in ${shownStore(storeOf(config))}`)
  print(`listening on ${url}`)
}

/** The same for every pattern; the demo's own documents come first. */
function historyOptions(config: Config): Pick<ServerOptions, 'history'> {
  const { history, historyDays: days, historyGc: gc } = config
  return { history: [...demoHistoryRules(config), ...history.map(documents => ({ documents, days, gc }))] }
}

/** What the server takes by itself is what `auto` means. */
function pagesOf({ demo }: Config): { pages?: string | null } {
  if (demo === 'auto') return {}
  return { pages: demo === 'on' ? demoDirectory : null }
}

/** The first signal drains; a second one does not wait. */
function stopOnSignal(server: Server): void {
  let isStopping = false
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(exitCodes.failed)
    isStopping = true
    print(`${signal}: closing connections and flushing; once more to end at once`)
    server.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error)
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

/** `histories`: as a flag says it; the setting of the same name, from the environment, is for a server. */
async function token(
  config: Config,
  [user, ...rights]: readonly string[],
  histories: string | string[] = []
): Promise<void> {
  if (user === undefined || user === '' || rights.length === 0) {
    throw usage('token takes a user and rights: y-chorus token ada "team/**=write" "news/*=read"')
  }
  print(await tokenFor(config, { user, rights, histories: [histories].flat() }))
}

async function setAside(data: string, [action, document, number, ...rest]: readonly string[]): Promise<void> {
  if (action === 'list' && number === undefined) return print(await listSetAside(data, document))
  if (rest.length > 0 || document === undefined || number === undefined || !/^\d+$/.test(number)) {
    throw usage('set-aside takes list [document], show <document> <number> or drop <document> <number>')
  }
  switch (action) {
    case 'show':
      return void process.stdout.write(await showSetAside(data, { document, number: Number(number) }))
    case 'drop':
      return print(await dropSetAside(data, { document, number: Number(number) }))
    default:
      throw usage(`set-aside cannot "${action}"`)
  }
}

async function history(
  data: string,
  operands: readonly string[],
  { url, json, key }: Readonly<Record<string, unknown>>
): Promise<void> {
  const call = {
    data,
    url: typeof url === 'string' ? url : null,
    token: process.env.CHORUS_TOKEN ?? null,
    key: typeof key === 'string' ? key : null,
    isJson: json === true,
    isColoured: process.stdout.isTTY && process.env.NO_COLOR === undefined,
    nowMs: Date.now()
  }
  try {
    const answer = await askHistory(operands, call)
    if (typeof answer === 'string') print(answer)
    else process.stdout.write(answer)
  } catch (error) {
    throw error instanceof HistoryUsage ? new CommandError(error.message, exitCodes.usage) : error
  }
}

/** Copies a stopped server's documents itself; a running one is asked to, as it holds the lock. */
async function backup(config: Config, directory: string): Promise<void> {
  const source = storeOf(config)
  const inDirectory = directoryOfStore(source)
  const control = inDirectory === null ? null : await readControl(inDirectory)
  const copied =
    (control === null ? null : await askForBackup(control, directory)) ?? (await copy(source, directory))
  print(`copied ${copied.keys} entries, ${copied.bytes} bytes, from ${shownStore(source)} to ${directory}`)
}

/** Returns null when nobody answers: the server is gone and has left its file behind. */
async function askForBackup({ url, token }: { url: string; token: string }, directory: string) {
  // Not fetch, which waits for five minutes: the answer comes when the copy is complete.
  const answer = await exchange({
    url: new URL(`${url}/api/backup`),
    body: { directory },
    headers: { authorization: `Bearer ${token}` },
    timeoutMs: backupTimeoutMs,
    answerBytesMax: 64 * 1024
  }).catch(() => null)
  if (answer === null || answer.status === 401 || answer.status === 404) return null
  const body = answer.body as { keys: number; bytes: number; message?: string } | null
  if (answer.status === 200 && body !== null) return body
  throw new CommandError(body?.message ?? `the server answered ${answer.status}`, exitCodes.failed)
}

async function copy(source: string, directory: string) {
  const store = await openStore(source, { create: false })
  try {
    let shownBytes = 0
    return await copyStore(store, directory, ({ bytes }) => {
      if (bytes - shownBytes < 100_000_000) return
      shownBytes = bytes
      print(`${Math.round(bytes / 1_000_000)} MB`)
    })
  } finally {
    await store.close()
  }
}

function helpText(): string {
  const lines = (Object.keys(settings) as SettingName[]).map(name => {
    const { value, help, fallback, env } = settings[name]
    const shown = Array.isArray(fallback) || fallback === '' ? '' : ` (default ${String(fallback)})`
    const variables = [variableOf(name), ...(env === null ? [] : [env])].join(', ')
    return `  ${`${flagOf(name)} <${value}>`.padEnd(28)} ${help}${shown}\n${' '.repeat(31)}${variables}`
  })
  return `y-chorus ${version()}: a collaborative document sync server for Yjs

Usage:
  y-chorus [serve] [options]    start the server
  y-chorus backup <directory>   write a consistent copy of the data there, also while the server runs
  y-chorus set-aside list [document]
                                what was refused and kept
  y-chorus set-aside show <document> <number>
                                the bytes of one entry (a Yjs update), to standard output
  y-chorus set-aside drop <document> <number>
                                remove it
  y-chorus history <list|show|export|activity|diff|blame|name|unname|restore|undo|prune> <document> ...
                                the past of a document, of a running server: y-chorus history --help says more
  y-chorus cluster new-id       for a copy of a database: its servers and those of the original stay apart
  y-chorus token <user> <pattern>=<read|write|none> ... [--history <read|restore>]
                                a token for an hour, signed with --jwt-secret-file, to try --auth jwt; --history: what
                                it may do with the histories of these documents

Options, each also as an environment variable:
${lines.join('\n')}
  -h, --help                   this text
  -v, --version                the version`
}

/** As a command's messages name it: a directory by its whole path. */
function storeOf({ data }: Config): string {
  const directory = directoryOfStore(data)
  return directory === null ? data : resolve(directory)
}

function version(): string {
  const file = new URL('../../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function explain(error: unknown, { host, port }: Config): string {
  if (error instanceof StoreError || error instanceof BusError) return error.message
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return `port ${port} on ${host} is taken; choose another with --port, or 0 for a free one`
  if (code === 'EACCES') return `port ${port} on ${host} may not be used by this user`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `${host} is not an address of this machine`
  return message
}

function usage(message: string): CommandError {
  return new CommandError(`${message}. Try y-chorus --help.`, exitCodes.usage)
}

function firstSentence(text: string): string {
  return text.split(/\.\s/)[0]?.replace(/\.$/, '') ?? text
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function fail(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`y-chorus: ${message}\n`)
  if (error instanceof CommandError) process.exit(error.exitCode)
  process.exit(error instanceof ConfigError ? exitCodes.usage : exitCodes.failed)
}

// Who reads what is printed and logged may leave: the server stays, and still drains when it is told to stop.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

main(process.argv.slice(2)).catch(fail)
