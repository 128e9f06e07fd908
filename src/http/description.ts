/** The route that describes all routes, itself among them. */
import { readFile } from 'node:fs/promises'
import { openApi } from './openapi.ts'
import { type Route, route } from './route.ts'
import { anyJson } from './schemas.ts'

/** The table, and the route that describes it. */
export function described(table: readonly Route[]): Route[] {
  let text: Promise<string> | null = null
  const all: Route[] = [...table]
  all.push(
    route({
      method: 'GET',
      path: '/api/openapi.json',
      id: 'describe',
      group: 'Operation',
      says: 'Describes all of this, as OpenAPI 3.1.',
      who: 'anyone',
      answers: { 200: { says: 'The description.', content: { 'application/json': anyJson } } },
      reply: async () => {
        text ??= describe(all)
        const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-cache' }
        return { status: 200, headers, body: await text }
      }
    })
  )
  return all
}

async function describe(table: readonly Route[]): Promise<string> {
  return `${JSON.stringify(openApi(table, await versionOf()), null, 2)}\n`
}

/** Of this package, whether this runs from `src` or from `dist/src`. */
export async function versionOf(): Promise<string> {
  const path = import.meta.url.endsWith('.ts') ? '../../package.json' : '../../../package.json'
  const { version } = JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
