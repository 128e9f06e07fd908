/**
 * Where the randomised tests begin: at `SEED`; else, with CI=true, at a number made of the commit, so that a commit that
 * passed once passes again and the next one tries something new; else at a new number each time. They print it.
 */
import { execFileSync } from 'node:child_process'

const seedsMax = 2 ** 31

export const seed = Number(
  process.env.SEED ?? (process.env.CI === 'true' ? seedOfCommit() : null) ?? anySeed()
)

/** Null outside a repository. */
function seedOfCommit(): number | null {
  try {
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' })
    return Number.parseInt(commit.slice(0, 8), 16) % seedsMax
  } catch {
    // No git, or no repository: any seed is as good.
    return null
  }
}

function anySeed(): number {
  return Math.floor(Math.random() * seedsMax)
}
