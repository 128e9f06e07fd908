/**
 * The documents of the demo's history page, which keep their past without being asked for: else the page had nothing to
 * show. No document of an application is called like this.
 */
import type { ServerOptions } from '../options.ts'
import type { Config } from './config.ts'

type HistoryRule = NonNullable<ServerOptions['history']>[number]

/** The page puts the first part of it in front of the name of its room. */
export const demoHistory = {
  documents: 'demo-history-**',
  days: 7,
  bytes: 1024 * 1024,
  everybody: 'restore'
} as const satisfies HistoryRule

/** Where the demo is served, and people who have not signed in can reach it. */
export function demoHistoryRules({ demo, auth }: Pick<Config, 'demo' | 'auth'>): readonly HistoryRule[] {
  const isOpen = auth === 'loopback' || auth === 'none'
  return isOpen && demo !== 'off' ? [demoHistory] : []
}
