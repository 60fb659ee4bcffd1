import type { AccessClaims } from '../claims.ts'
import { admit, isElsewhere, isRefusal, type AuthenticateOptions } from './bearer.ts'
import type { Verifier } from './index.ts'

type Request = { headers: { authorization?: string | undefined }, raw: { rawHeaders: string[] }, query: unknown, auth?: AccessClaims }
type Reply = { code: (status: number) => { headers: (headers: Record<string, string>) => { send: (body: unknown) => unknown } } }

/** An `onRequest` hook: sets `request.auth`, or answers 400, 401, 403 or 503 itself. */
export function authenticate (verifier: Verifier, options?: AuthenticateOptions): (request: Request, reply: Reply) => Promise<unknown> {
  return async (request, reply) => {
    const { headers: { authorization }, raw, query } = request
    const outcome = await admit(verifier, { authorization, elsewhere: isElsewhere(raw.rawHeaders, query) }, options)
    if (isRefusal(outcome)) return reply.code(outcome.status).headers(outcome.headers).send(outcome.body)
    request.auth = outcome
  }
}
