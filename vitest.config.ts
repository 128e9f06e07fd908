import { defineConfig } from 'vitest/config'

const every = { testTimeout: 30_000, hookTimeout: 60_000 }
const all = ['test/**/*.test.ts']
/** The demo's bars on speed. Beside other files these would measure those, too. */
const timed = ['test/browser/quick.test.ts', 'test/browser/smooth.test.ts']

export default defineConfig({
  test: {
    globalSetup: ['test/build.ts'],
    projects: [
      // Two cores: more forks than that make the timing of real sockets and browsers worse, not the run shorter.
      { test: { ...every, name: 'side by side', include: all, exclude: timed, maxWorkers: 2 } },
      {
        test: { ...every, name: 'one by one', include: timed, maxWorkers: 1, sequence: { groupOrder: 1 } }
      }
    ]
  }
})
