/** A store whose calls are told of. */
import type { Store } from '../../persistence/store.ts'

/** `name`: of the call, those of its histories as `history.read`. `answer`: what it came to. */
export type Call = { readonly name: string; readonly given: readonly unknown[]; readonly answer: unknown }

export function watched(store: Store, onCall: (call: Call) => void): Store {
  return watchedAs(store, '', onCall)
}

function watchedAs<T extends object>(target: T, prefix: string, onCall: (call: Call) => void): T {
  return new Proxy(target, {
    get: (_, key) => {
      const value: unknown = Reflect.get(target, key, target)
      const name = prefix + String(key)
      if (name === 'history' && typeof value === 'object' && value !== null)
        return watchedAs(value, 'history.', onCall)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        const answer: unknown = value.apply(target, given)
        if (answer instanceof Promise)
          return answer.then(known => told({ name, given, answer: known }, onCall))
        return told({ name, given, answer }, onCall)
      }
    }
  })
}

function told(call: Call, onCall: (call: Call) => void): unknown {
  onCall(call)
  return call.answer
}
