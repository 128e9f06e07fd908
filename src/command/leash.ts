/**
 * What the child process runs: the ordinary command, on a leash. When the parent goes, however it goes, its end of the
 * pipe on standard input closes; then this process removes its data and ends. The last argument is the data directory.
 */
import { rmSync } from 'node:fs'

const data = process.argv.at(-1)

process.stdin.once('close', () => {
  if (data !== undefined) rmSync(data, { recursive: true, force: true, maxRetries: 3 })
  process.exit(1)
})
process.stdin.on('error', () => process.stdin.destroy())
process.stdin.resume()

await import('./cli.ts')
