/** The conformance suite over every outlet: a real receiver, real brokers, a mock cluster that real clients talk to. */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { outletConformanceCases } from '../../outlets/conformance.ts'
import { allReceivers } from './places.ts'

for (const { name, isMissing, start } of allReceivers) {
  describe.skipIf(isMissing)(name, () => {
    let started: Awaited<ReturnType<typeof start>>
    beforeAll(async () => {
      started = await start()
    }, 120_000)
    afterAll(() => started?.stop())

    test.each(outletConformanceCases)(
      '$name',
      async ({ run }) => {
        const place = await started.newPlace()
        await run(place)
      },
      90_000
    )
  })
}
