/** What `y-chorus history` may be told, and the request that each of it becomes. */

/** Somebody has called it wrongly: how it is called. */
export class HistoryUsage extends Error {}

/** Each action: its operands, and what it does. */
const actions = {
  list: ['<document>', 'how far its history goes, and its versions'],
  show: ['<document> <moment> <name>:<kind> …', 'root types as they were; a kind is text, map, array or xml'],
  export: ['<document> <moment>', 'the document as it was, a Yjs update, to standard output'],
  activity: ['<document> [from] [to]', 'who worked when, and how much'],
  diff: ['<document> <from> [to]', 'what changed, and who did it'],
  blame: ['<document> [moment]', 'who wrote what stands'],
  name: ['<document> <name> [moment]', 'give a moment a name'],
  unname: ['<document> <version>', 'take a version away'],
  restore: ['<document> <moment>', 'bring the document back to what it was'],
  undo: ['<document> <user> <from> [to]', 'take back what one person did; also connection:<id>'],
  prune: ['<document> <time>', 'contents from before go for good']
} as const satisfies Readonly<Record<string, readonly [string, string]>>

type Action = keyof typeof actions

const moments =
  'A moment is a time (2026-11-30T10:00, or 10m, 2h, 3d ago), sequence:<number> or version:<id>.'

/** These happen once for each key, however often they are asked for. */
const keyed: ReadonlySet<string> = new Set<Action>(['restore', 'undo'])

export const historyUsage = `history takes one of
${(Object.keys(actions) as Action[]).map(name => `  ${`${name} ${actions[name][0]}`.padEnd(42)} ${actions[name][1]}`).join('\n')}
${moments}`

/** What one action takes; all of them, if there is none of this name. */
export function usageOf(action: string | undefined): string {
  if (action === undefined || !isAction(action)) return historyUsage
  const [operands, help] = actions[action]
  const key =
    '\n  --key <text>   asked again with the same key, it is done once; without it one is made, and told if no answer comes'
  return `y-chorus history ${action} ${operands}\n${help}\n${moments}

  --data <place>, or --url <address> with the token in CHORUS_TOKEN: which server is asked
  --json         what the server says, as it says it${isKeyed(action) ? key : ''}`
}

function isAction(name: string): name is Action {
  return Object.hasOwn(actions, name)
}

export function isKeyed(action: string): boolean {
  return keyed.has(action)
}

export type Ask = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: object
  /** The operands as they can be given again later: times are no longer counted from now. */
  readonly again: readonly string[]
}

/** Null: these operands are none of the action's. Throws HistoryUsage for what is no time. */
export function askOf(action: string, rest: readonly string[], nowMs: number): Ask | null {
  const [first, second, third, ...more] = rest
  const atMost = (count: number) => rest.length <= count
  const ask = (method: Ask['method'], path: string, body?: object): Ask => ({
    method,
    path,
    ...(body === undefined ? {} : { body }),
    again: rest
  })
  const get = (path: string, query: Readonly<Record<string, string>>) =>
    ask('GET', `${path}?${new URLSearchParams(query)}`)
  const moment = (text: string) => momentOf(text, nowMs)
  const optional = (name: string, text: string | undefined, read: (text: string) => string) =>
    text === undefined ? {} : { [name]: read(text) }
  const time = (text: string) => timeOf(text, nowMs)
  switch (action) {
    case 'list':
      return atMost(0) ? get('', {}) : null
    case 'show':
      if (first === undefined || second === undefined) return null
      return get('/at', { ...asMember(moment(first)), types: rest.slice(1).join(',') })
    case 'export':
      return first === undefined || !atMost(1) ? null : get('/at', asMember(moment(first)))
    case 'activity':
      return atMost(2)
        ? get('/activity', { ...optional('from', first, time), ...optional('to', second, time) })
        : null
    case 'diff':
      if (first === undefined || !atMost(2)) return null
      return get('/diff', { from: moment(first), ...optional('to', second, moment) })
    case 'blame':
      return atMost(1) ? get('/blame', first === undefined ? {} : asMember(moment(first))) : null
    case 'name':
      if (first === undefined || !atMost(2)) return null
      return ask('POST', '/versions', {
        name: first,
        ...(second === undefined ? {} : asMember(moment(second)))
      })
    case 'unname':
      if (first === undefined || !atMost(1)) return null
      return ask('DELETE', `/versions/${encodeURIComponent(first.replace(/^version:/, ''))}`)
    case 'restore': {
      if (first === undefined || !atMost(1)) return null
      return { ...ask('POST', '/restore', asMember(moment(first))), again: [again(moment(first))] }
    }
    case 'undo': {
      if (first === undefined || second === undefined || more.length > 0) return null
      const body = { ...whoseOf(first), from: moment(second), ...optional('to', third, moment) }
      const times = [second, ...(third === undefined ? [] : [third])].map(each => again(moment(each)))
      return { ...ask('POST', '/undo', body), again: [first, ...times] }
    }
    case 'prune':
      return first === undefined || !atMost(1) ? null : ask('POST', '/prune', { before: time(first) })
    default:
      return null
  }
}

/** `user:` helps a user whose id begins like one of a connection. */
function whoseOf(text: string): Readonly<Record<string, string>> {
  const [, kind, id] = /^(user|connection):(.+)$/s.exec(text) ?? []
  return kind === undefined || id === undefined ? { user: text } : { [kind]: id }
}

/** `time:…`, `sequence:…` or `version:…`. */
function momentOf(text: string, nowMs: number): string {
  return /^(sequence|version):/.test(text) ? text : `time:${timeOf(text, nowMs)}`
}

/** The same moment as an operand. */
function again(moment: string): string {
  return moment.startsWith('time:') ? new Date(Number(moment.slice(5))).toISOString() : moment
}

function asMember(moment: string): Readonly<Record<string, string>> {
  const colon = moment.indexOf(':')
  return { [moment.slice(0, colon)]: moment.slice(colon + 1) }
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** In milliseconds since 1970; a time without a zone is local. */
function timeOf(text: string, nowMs: number): string {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const timeMs = count === undefined ? Date.parse(text) : nowMs - Number(count) * (unitsMs[unit ?? ''] ?? 0)
  if (Number.isNaN(timeMs) || timeMs < 0) throw new HistoryUsage(`"${text}" is no time.\n${historyUsage}`)
  return String(timeMs)
}
