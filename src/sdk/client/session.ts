import { AuthError, signedOutError } from './error.ts'
import { isAway, jitter, retried } from './retry.ts'
import { createStore } from './store.ts'
import { openTabs, type Word } from './tabs.ts'
import { now, tokenOf, type Moment, type Token } from './token.ts'
import type { SignedOut, Tokens, User } from './types.ts'
import { isSeen, onWaking } from './wake.ts'

type Deps = {
  name: string
  /** One try of a refresh. */
  refresh: () => Promise<Tokens>
  /** One try of reading the user. */
  userOf: (accessToken: string) => Promise<User>
}

/** How long a tab waits for what the one before it was told. */
const HANDOVER = 50

/** The token in memory, kept fresh; and what the tabs of this origin tell each other about it. */
export function createSession ({ name, refresh, userOf }: Deps) {
  const store = createStore()
  let token: Token | null = null
  /** Counts sign-ins and endings: an answer that was asked for before one of them is of yesterday. */
  let epoch = 0
  let ended: string | null = null
  let renewing: Promise<Token> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let handedOver = (): void => {}

  const tabs = openTabs(name, hear)

  function hear (word: Word): void {
    if (word.type === 'ended') {
      if (token?.sid === word.sid || !token) over(word.sid, word.reason)
      return
    }
    const next = tokenOf(word.tokens, { wall: word.at, steady: performance.now() })
    if (next.sid === ended || (!word.signedIn && store.state.status === 'signed_out' && !renewing)) return
    if (word.signedIn) epoch++
    if (token && token.sid === next.sid && token.left() > next.left()) return // of a generation before
    keep(next, word.user)
    handedOver()
  }

  function keep (next: Token, user: User): void {
    token = next
    failures = 0
    plan(Math.max(1, next.dueIn()))
    store.signedIn(user)
  }

  /** The tokens of a sign-in, or of what else begins a session. */
  function begin (tokens: Tokens, asked: Moment, user: User): void {
    epoch++
    keep(tokenOf(tokens, asked), user)
    tabs.tell({ type: 'tokens', tokens, user, at: asked.wall, signedIn: true })
  }

  function over (sid: string | null, reason: SignedOut['reason']): void {
    epoch++
    token = null
    ended = sid
    clearTimeout(timer)
    store.ended(reason)
  }

  function end (reason: SignedOut['reason']): void {
    const sid = token?.sid
    over(sid ?? null, reason)
    if (sid !== undefined) tabs.tell({ type: 'ended', sid, reason })
  }

  /** One refresh at a time: here, and where there are locks in all tabs. @param stale what is not to be had again */
  async function renew (stale: string | undefined): Promise<Token> {
    if (token && token.value !== stale && token.isGood()) return token
    renewing ??= retried(async () => await tabs.alone(async waited => await exchange(stale, waited)), isAway).finally(() => { renewing = null })
    return await renewing
  }

  async function exchange (stale: string | undefined, waited: boolean): Promise<Token> {
    const before = token
    if (waited && before?.value === stale) await Promise.race([new Promise<void>(resolve => { handedOver = resolve }), new Promise(resolve => setTimeout(resolve, HANDOVER))])
    if (token && token.value !== stale) return token
    const began = epoch
    const asked = now()
    try {
      const tokens = await refresh()
      const next = tokenOf(tokens, asked)
      const known = store.state.user
      const user = known?.id === next.sub ? known : await userOf(next.value) // nobody was known, or another app of this cookie has signed in somebody else
      if (epoch === began) {
        keep(next, user)
        tabs.tell({ type: 'tokens', tokens, user, at: asked.wall, signedIn: false })
      }
    } catch (error) {
      if (epoch === began && error instanceof AuthError) {
        if (error.code === 'session_ended') end('session_ended')
        if (error.code === 'no_session') { if (store.state.status === 'unknown') store.nobody(); else end('session_ended') }
      }
      if (epoch === began || !token) throw error
    }
    if (!token) throw signedOutError()
    return token
  }

  function plan (seconds: number): void {
    clearTimeout(timer)
    timer = setTimeout(look, seconds * 1000);
    (timer as { unref?: () => void }).unref?.()
  }

  /** Renews ahead of time, and goes on trying while the service is away. */
  function look (): void {
    if (!token || !isSeen()) return
    const { value, dueIn } = token
    if (dueIn() > 0) return plan(dueIn())
    renew(value).catch(error => { if (isAway(error)) plan(Math.max(error.retryAfter ?? 0, jitter(Math.min(30, 2 ** ++failures)))) })
  }
  const stopWatching = onWaking(look)

  return {
    store,
    renew,
    begin,
    end,
    alone: tabs.alone,
    /** A token to send. What is due but good is sent while the next one is fetched: a service that is away delays nobody. */
    async current (): Promise<Token> {
      if (store.state.status === 'signed_out') throw signedOutError()
      if (!token?.isGood()) return await renew(token?.value)
      if (token.dueIn() <= 0) look()
      return token
    },
    close () {
      clearTimeout(timer)
      stopWatching()
      tabs.close()
    },
  }
}

export type Session = ReturnType<typeof createSession>
