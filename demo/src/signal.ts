// A value that tells its listeners when it changes. It knows nothing of the page or of Yjs.

export type Signal<T> = {
  readonly value: T
  /** Calls `onValue` now and after every change; returns the function that ends it. */
  watch(onValue: (value: T) => void): () => void
}

export type WritableSignal<T> = Signal<T> & { set(value: T): void }

/** Creates a signal; setting an equal value (`Object.is`) tells nobody. */
export function createSignal<T>(initial: T): WritableSignal<T> {
  const listeners = new Set<(value: T) => void>()
  let current = initial
  return {
    get value() {
      return current
    },
    set(value) {
      if (Object.is(value, current)) return
      current = value
      for (const listener of [...listeners]) listener(value)
    },
    watch(onValue) {
      listeners.add(onValue)
      onValue(current)
      return () => listeners.delete(onValue)
    }
  }
}
