import type { AuthState, SignedOut, User } from './types.ts'

const NOBODY: AuthState = Object.freeze({ status: 'signed_out', user: null })

/** What the page sees: one object until it changes, and who wants to know. */
export function createStore () {
  let state: AuthState = Object.freeze({ status: 'unknown', user: null })
  const watching = new Set<() => void>()
  const mourning = new Set<(event: SignedOut) => void>()
  const set = (next: AuthState) => {
    state = next
    call(watching, undefined)
  }
  return {
    get state () { return state },
    signedIn (user: User) {
      if (state.status !== 'signed_in' || JSON.stringify(state.user) !== JSON.stringify(user)) set(Object.freeze({ status: 'signed_in', user }))
    },
    signedOut (reason: SignedOut['reason']) {
      const { status, user } = state
      if (status === 'signed_out') return
      set(NOBODY)
      if (status === 'signed_in' || reason === 'session_ended') call(mourning, { reason, user }) // else there was nobody
    },
    subscribe: (listener: () => void) => added(watching, listener),
    onSignedOut: (listener: (event: SignedOut) => void) => added(mourning, listener),
  }
}

function added<T> (all: Set<(value: T) => void>, listener: (value: T) => void): () => void {
  const own = (value: T) => listener(value) // the same function twice is two listeners
  all.add(own)
  return () => { all.delete(own) }
}

/** A listener that throws is the page's fault, and is reported as one; the others are called all the same. */
function call<T> (all: Set<(value: T) => void>, value: T): void {
  for (const listener of [...all]) {
    try { listener(value) } catch (error) { queueMicrotask(() => { throw error }) }
  }
}
