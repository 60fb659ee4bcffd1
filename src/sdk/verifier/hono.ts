import { admit, isRefusal, type AuthenticateOptions } from './bearer.ts'
import type { Verifier } from './index.ts'

type Context = {
  req: { header: (name: string) => string | undefined, query: (name: string) => string | undefined }
  set: (name: 'auth', value: unknown) => void
}

/** Middleware: `c.get('auth')` are the claims, or it answers 400, 401, 403 or 503 itself. Repeated headers arrive joined, and are refused. */
export function authenticate (verifier: Verifier, options?: AuthenticateOptions): (c: Context, next: () => Promise<void>) => Promise<Response | undefined> {
  return async (c, next) => {
    const outcome = await admit(verifier, { authorization: c.req.header('authorization'), elsewhere: c.req.query('access_token') !== undefined }, options)
    if (isRefusal(outcome)) return new Response(JSON.stringify(outcome.body), outcome)
    c.set('auth', outcome)
    await next()
    return undefined
  }
}
