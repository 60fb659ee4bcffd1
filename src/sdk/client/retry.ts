import { AuthError } from './error.ts'

const ATTEMPTS = 5
const FIRST_WAIT = 0.25
/** Whoever is to come back later than this is told so, instead of being kept waiting. */
const PATIENCE = 10

/** Half to one and a half of it: what failed together is not to come back together. */
export const jitter = (seconds: number): number => seconds * (0.5 + Math.random())

export const isAway = (error: unknown): error is AuthError => error instanceof AuthError && [0, 408, 429, 502, 503, 504].includes(error.status)

/** Until it succeeds, fails in earnest, or is given up. @param mayRepeat judges a failure */
export async function retried<T> (work: () => Promise<T>, mayRepeat: (error: unknown) => boolean, signal?: AbortSignal | null): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const after = error instanceof AuthError ? error.retryAfter ?? 0 : 0
      if (attempt === ATTEMPTS || after > PATIENCE || !mayRepeat(error)) throw error
      const wait = jitter(FIRST_WAIT * 2 ** (attempt - 1))
      await sleep(Math.max(wait, after + wait / 4), signal)
    }
  }
}

async function sleep (seconds: number, signal?: AbortSignal | null): Promise<void> {
  await abortable(new Promise(resolve => setTimeout(resolve, seconds * 1000)), signal)
}

/** What is shared goes on; only this caller stops waiting. */
export async function abortable<T> (work: Promise<T>, signal?: AbortSignal | null): Promise<T> {
  if (!signal) return await work
  return await new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
