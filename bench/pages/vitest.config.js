import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** One file after the other: beside another, each would measure that one, too. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    globalSetup: ['test/build.ts'],
    include: ['bench/pages/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 180_000,
    fileParallelism: false
  }
})
