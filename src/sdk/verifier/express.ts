import type { AccessClaims } from '../claims.ts'
import { admit, isElsewhere, isRefusal, type AuthenticateOptions } from './bearer.ts'
import type { Verifier } from './index.ts'

type Request = { headers: { authorization?: string | undefined }, rawHeaders: string[], query: unknown, auth?: AccessClaims }
type Response = { status: (status: number) => { set: (headers: Record<string, string>) => { json: (body: unknown) => unknown } } }

/** Middleware: sets `req.auth`, or answers 400, 401, 403 or 503 itself. */
export function authenticate (verifier: Verifier, options?: AuthenticateOptions): (request: Request, response: Response, next: (error?: unknown) => void) => void {
  return (request, response, next) => {
    const { headers: { authorization }, rawHeaders, query } = request
    admit(verifier, { authorization, elsewhere: isElsewhere(rawHeaders, query) }, options).then(outcome => {
      if (isRefusal(outcome)) {
        response.status(outcome.status).set(outcome.headers).json(outcome.body)
        return
      }
      request.auth = outcome
      next()
    }).catch(next)
  }
}
