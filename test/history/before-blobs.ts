/** A store in which something happens between a manifest that was read and the blobs that it names. */
import type { Store } from '../../persistence/store.ts'

/** `numbers`: of the blobs, as the store was asked for them. */
export function beforeBlobs(store: Store, meanwhile: (numbers: unknown) => Promise<void>): Store {
  const { history } = store
  if (history === undefined) throw new Error('the store keeps no histories')
  const slow = new Proxy(history, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const call: typeof value = value.bind(target)
      if (name !== 'blobs') return call
      return async (...given: unknown[]) => {
        await meanwhile(given[2])
        return call(...given)
      }
    }
  })
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'history') return slow
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}
