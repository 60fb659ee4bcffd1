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

/** Milliseconds that a tab waits for what the one before it was given. */
const HANDOVER = 50
/** Seconds between two tries to renew ahead of time, at most. */
const LONGEST_WAIT = 30

/** The token in memory, kept fresh; and what the tabs of this origin tell each other about it. */
export function createSession ({ name, refresh, userOf }: Deps) {
  const store = createStore()
  let token: Token | null = null
  /** Counts sign-ins and endings: what was asked for before one of them is of no use after it. */
  let epoch = 0
  let renewing: Promise<Token> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let notBefore = 0
  let handedOver = (): void => {}

  const tabs = openTabs(name, hear)

  function hear (word: Word): void {
    if (word.type === 'user') know(word.user)
    else if (word.type === 'ended') {
      if (!token || !word.sid || token.sid === word.sid) over(store.state.status === 'unknown' ? 'signed_out' : word.reason)
    } else {
      const next = tokenOf(word.tokens, { wall: word.at, steady: performance.now() })
      const isOld = token?.sid === next.sid && token.left() > next.left()
      // A tab that has signed out comes back with a sign-in, not with a refresh that was under way somewhere.
      if (isOld || (!word.signedIn && store.state.status === 'signed_out')) return
      if (word.signedIn) epoch++
      keep(next, word.user)
      handedOver()
    }
  }

  function keep (next: Token, user: User): void {
    token = next
    failures = notBefore = 0
    plan(Math.max(1, next.dueIn()))
    store.signedIn(user)
  }

  function over (reason: SignedOut['reason']): void {
    epoch++
    token = null
    clearTimeout(timer)
    store.signedOut(reason)
  }

  function know (user: User): boolean {
    const isKnown = store.state.user?.id === user.id
    if (isKnown) store.signedIn(user)
    return isKnown
  }

  /** One refresh at a time: here, and where there are locks in all tabs. @param stale what is not to be had again */
  async function renew (stale: string | undefined): Promise<Token> {
    if (token && token.value !== stale && token.isGood()) return token
    renewing ??= retried(async () => await tabs.alone(async waited => await exchange(stale, waited)), isAway).finally(() => { renewing = null })
    return await renewing
  }

  async function exchange (stale: string | undefined, waited: boolean): Promise<Token> {
    if (waited && token?.value === stale) await Promise.race([new Promise<void>(resolve => { handedOver = resolve }), new Promise(resolve => setTimeout(resolve, HANDOVER))])
    if (token && token.value !== stale) return token
    const began = epoch
    const asked = now()
    try {
      const tokens = await refresh()
      const next = tokenOf(tokens, asked)
      const known = store.state.user
      // Nobody is known yet, or another app with this cookie has signed in somebody else.
      const user = known?.id === next.sub ? known : await userOf(next.value)
      if (epoch === began) {
        keep(next, user)
        tabs.tell({ type: 'tokens', tokens, user, at: asked.wall, signedIn: false })
        return next
      }
    } catch (error) {
      if (epoch === began) {
        if (error instanceof AuthError && (error.code === 'session_ended' || error.code === 'no_session')) lose(error.code)
        throw error
      }
    }
    if (!token) throw signedOutError()
    return token
  }

  /** A cookie that is gone from under a running page is the end of its session; a page that has just been opened finds out that it had none. */
  function lose (code: 'session_ended' | 'no_session'): void {
    const sid = token?.sid ?? null
    over(code === 'no_session' && !sid ? 'signed_out' : 'session_ended')
    if (sid) tabs.tell({ type: 'ended', sid, reason: 'session_ended' })
  }

  function plan (seconds: number): void {
    clearTimeout(timer)
    timer = setTimeout(look, seconds * 1000);
    (timer as { unref?: () => void }).unref?.() // Node.js would go on for it
  }

  function look (): void {
    if (!token || !isSeen()) return
    const dueIn = token.dueIn()
    if (dueIn > 0) plan(dueIn); else ahead(token)
  }

  /** While the token is still good: nobody waits for it, and nobody is told when it fails. */
  function ahead ({ value }: Token): void {
    renew(value).catch(error => {
      const wait = Math.max((error as Partial<AuthError>).retryAfter ?? 0, jitter(Math.min(LONGEST_WAIT, 2 ** ++failures)))
      notBefore = performance.now() + wait * 1000
      if (token) plan(wait)
    })
  }
  const stopWatching = onWaking(look)

  return {
    store,
    renew,
    alone: tabs.alone,
    /** The tokens of a sign-in, or of what else begins a session. */
    begin (tokens: Tokens, asked: Moment, user: User): void {
      epoch++
      keep(tokenOf(tokens, asked), user)
      tabs.tell({ type: 'tokens', tokens, user, at: asked.wall, signedIn: true })
    },
    /** Signed out, here. */
    end (): void {
      const sid = token?.sid ?? null
      over('signed_out')
      tabs.tell({ type: 'ended', sid, reason: 'signed_out' })
    },
    /** The user as the service has just described them. */
    know (user: User): void { if (know(user)) tabs.tell({ type: 'user', user }) },
    /** Asks whether the session goes on. */
    check (mayHaveEnded: (sid: string) => boolean): void { if (token && mayHaveEnded(token.sid)) renew(token.value).catch(() => {}) },
    held: (): string | undefined => token?.value,
    /** A token to send. One that is due but good is sent while the next is fetched: a service that is away delays nobody. */
    async current (): Promise<string> {
      if (store.state.status === 'signed_out') throw signedOutError()
      if (!token?.isGood()) return (await renew(token?.value)).value
      if (token.dueIn() <= 0 && performance.now() >= notBefore) ahead(token)
      return token.value
    },
    close (): void {
      clearTimeout(timer)
      stopWatching()
      tabs.close()
    },
  }
}
