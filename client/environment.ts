/**
 * Time, chance and the page around a provider: whoever tests it has them in their own hands, and outside of a browser there
 * is no page.
 */

/** What happens to the page that a provider lives in. */
export type PageEvents = {
  /** The device says that it is online again. */
  online(): void
  /** The page can be seen again; its timers may have slept. */
  visible(): void
  /** The page is about to be left. What is returned says whether the person should be asked first. */
  leaving(): boolean
}

export type Environment = {
  /** Milliseconds since 1970. */
  nowMs(): number
  /** From 0 to 1, as `Math.random`. */
  random(): number
  /** Returns what takes it back. */
  after(delayMs: number, run: () => void): () => void
  /** Returns what ends it. Calls nothing where there is no page. */
  watchPage(events: PageEvents): () => void
}

export const usualEnvironment: Environment = {
  nowMs: () => Date.now(),
  random: () => Math.random(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  watchPage
}

function watchPage(events: PageEvents): () => void {
  if (typeof window === 'undefined' || typeof document === 'undefined') return () => {}
  const ends: (() => void)[] = []
  const listen = (target: EventTarget, name: string, call: (event: Event) => void) => {
    target.addEventListener(name, call)
    ends.push(() => target.removeEventListener(name, call))
  }
  listen(window, 'online', () => events.online())
  listen(window, 'pageshow', () => events.visible())
  listen(document, 'visibilitychange', () => {
    if (document.visibilityState === 'visible') events.visible()
  })
  listen(window, 'beforeunload', event => {
    if (events.leaving()) event.preventDefault()
  })
  return () => {
    for (const end of ends) end()
  }
}
