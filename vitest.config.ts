import { relative } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** They begin first, so that none of them is left alone at the end. */
const longest = [
  'test/interop/hocuspocus-durable.test.ts',
  'test/cluster/faults.test.ts',
  'test/simulation/simulation.test.ts',
  'test/browser/wire.test.ts',
  'test/browser/chaos.test.ts',
  'test/examples/next.test.ts',
  'test/package/runtimes.test.ts',
  'test/package/types.test.ts',
  'test/package/contents.test.ts',
  'test/browser/board.test.ts',
  'test/snippets.test.ts',
  'test/interop/large.test.ts',
  'test/browser/crowded.test.ts',
  'test/browser/rich.test.ts',
  'test/browser/pages.test.ts',
  'test/crash/kill.test.ts',
  'test/persistence/postgres/conformance.test.ts',
  'test/bus/rabbitmq.test.ts',
  'test/document/fuzz.test.ts',
  'test/hooks/crashes.test.ts',
  'test/document/floods.test.ts'
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const index = longest.indexOf(relative(import.meta.dirname, moduleId))
      return index === -1 ? longest.length : index
    }
    return sorted.toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    globalSetup: ['test/build.ts'],
    include: ['test/**/*.test.ts'],
    // Against what hangs: a busy machine may take its time, so each is longer than what tests wait for.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // One more than the two cores of CI: most tests wait for something now and then, and none judges by the clock.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst }
  }
})
