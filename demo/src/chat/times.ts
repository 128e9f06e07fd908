// When something was said, as people say it.

const units = [
  { unit: 'day', ms: 86_400_000 },
  { unit: 'hour', ms: 3_600_000 },
  { unit: 'minute', ms: 60_000 }
] as const

const justNowMs = 45_000

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const absolute = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' })

/** "now", "5 min. ago", "yesterday"; clocks of others may be ahead of ours. */
export function relativeTime(then: number, now: number): string {
  const agoMs = Math.max(0, now - then)
  if (agoMs < justNowMs) return 'now'
  const { unit, ms } = units.find(candidate => agoMs >= candidate.ms) ?? units[2]
  return relative.format(-Math.max(1, Math.round(agoMs / ms)), unit)
}

export function absoluteTime(then: number): string {
  return absolute.format(then)
}
