import type { SignedOut, Tokens, User } from './types.ts'

/** What a tab tells the others of its origin. Whoever can listen could as well ask the service with the cookie that the tabs share: it is no secret from them. */
export type Word =
  | { type: 'tokens', tokens: Tokens, user: User, at: number, signedIn: boolean }
  | { type: 'user', user: User }
  /** Without `sid`: whichever the cookie carried. */
  | { type: 'ended', sid: string | null, reason: SignedOut['reason'] }

export type Tabs = {
  tell: (word: Word) => void
  /** One at a time in all tabs, where the browser has locks. @param work knows whether it had to wait for another tab */
  alone: <T>(work: (waited: boolean) => Promise<T>) => Promise<T>
  close: () => void
}

/** A tab that stopped in the middle keeps nobody waiting for ever: that one refresh follows another is a courtesy, the server does not depend on it. */
const PATIENCE = 15_000

export function openTabs (name: string, hear: (word: Word) => void): Tabs {
  const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(name)
  if (channel) channel.onmessage = event => hear(event.data as Word);
  (channel as { unref?: () => void } | null)?.unref?.() // Node.js would go on for it
  const locks = globalThis.navigator?.locks as LockManager | undefined
  return {
    tell: word => channel?.postMessage(word),
    alone: async work => {
      if (!locks) return await work(false)
      let begun = false
      const held = (waited: boolean) => async (lock: Lock | null) => {
        if (!lock) return null
        begun = true
        return { value: await work(waited) }
      }
      try {
        const done = await locks.request(name, { ifAvailable: true }, held(false)) ?? await locks.request(name, { signal: AbortSignal.timeout(PATIENCE) }, held(true))
        return done!.value
      } catch (error) {
        if (begun) throw error
        return await work(true)
      }
    },
    close: () => channel?.close(),
  }
}
