/**
 * Where the randomised tests begin: at `SEED`; else, with CI=true, at one that is always the same, because CI judges a
 * change and is no lottery; else at a new number each time. They print it. `npm run simulate` and runs without CI=true
 * try other seeds.
 */
const seedsMax = 2 ** 31
const ciSeed = 421_327_013

export const seed = Number(process.env.SEED ?? (process.env.CI === 'true' ? ciSeed : anySeed()))

function anySeed(): number {
  return Math.floor(Math.random() * seedsMax)
}
