// A program that a page shows, made to run in a browser.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { onTestFinished } from 'vitest'

/** Bundles a program as an application's build would, with the packages that it names. */
export async function bundle(code: string): Promise<string> {
  // Inside the repository, so that the packages are found.
  const folder = await mkdtemp(fileURLToPath(new URL('../../dist/lines-', import.meta.url)))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'main.js'), code)
  const built = await build({
    root: folder,
    logLevel: 'error',
    configFile: false,
    build: { write: false, rollupOptions: { input: join(folder, 'main.js') }, modulePreload: false }
  })
  const output = Array.isArray(built) ? built[0] : built
  if (output === undefined || !('output' in output)) throw new Error('nothing was built')
  return output.output[0].code
}
