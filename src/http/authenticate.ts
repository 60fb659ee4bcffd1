import fastifyJwt from '@fastify/jwt'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { VerifierContext } from '../context.ts'
import { ACCESS_TYP, isAccessClaims, isInTime, LEEWAY_SECONDS, type AccessClaims } from '../core/tokens/access-token.ts'
import { parseCompact } from '../core/tokens/compact.ts'
import { USER_SCOPES } from '../core/tokens/scopes.ts'
import { AppError } from '../errors.ts'
import { VerifiedTokens } from '../sdk/verified-tokens.ts'
import { asToken, bearerText, bearerToken } from './bearer.ts'
import type { Verdict } from './tally.ts'

declare module '@fastify/jwt' {
  interface FastifyJWT { payload: AccessClaims, user: AccessClaims }
}
declare module 'fastify' {
  interface FastifyInstance {
    /** Verifies the bearer token and sets request.user, where a route takes other proofs too. @throws invalid_token, invalid_request */
    verifyBearer: (request: FastifyRequest) => Promise<void>
    /**
     * Verifies any text as an access token: one that a request is about. Changes nothing of who sent the request.
     * @throws invalid_token; database_unavailable when its key is unknown and could not be looked up
     */
    verifyAccessToken: (request: FastifyRequest, token: string) => Promise<AccessClaims>
  }
  interface FastifyRequest {
    /** The token under verification; @fastify/jwt takes it from here. */
    presentedToken: string
    /** Its token had been verified before: what is made of its claims may be worth keeping. */
    isKnown: boolean
  }
}

/**
 * The one place where access tokens are verified, on the calling thread: fast-jwt under @fastify/jwt, because WebCrypto
 * would wait behind password hashes. No query and no socket, but for a kid nobody here has seen (at most one look-up in
 * five seconds). Every rejection is a 401: the library alone answers 500 to about a third of hostile shapes.
 *
 * A signature is checked once for each token; that it is in time, that its key still counts and that nothing ended it, at every use.
 */
export const authenticate = fp<{ ctx: VerifierContext }>(async (app, { ctx }) => {
  const { config, keyring, revocations, clock } = ctx
  const expected = { issuer: config.publicUrl, audience: config.tokenAudience, clock }
  /** `revision`: how many endings this node knew of when the token was last held against them. */
  const verified = new VerifiedTokens<{ readonly claims: AccessClaims, readonly kid: string, revision: number }>()
  app.decorateRequest('presentedToken', '')
  app.decorateRequest('isKnown', false)
  await app.register(fastifyJwt, {
    secret: {
      public: (_request: FastifyRequest, { header }: { header: { kid: string } }, done: (error: Error | null, key?: string) => void) => {
        const key = keyring.find('at', header.kid)
        done(key ? null : new Error('unknown kid'), key?.public?.pem)
      },
    } as never, // the types know no decoded header, and want a signing key that this service never gives the plugin
    decode: { complete: true },
    verify: {
      extractToken: request => request.presentedToken,
      algorithms: ['ES256', 'RS256'],
      checkTyp: ACCESS_TYP,
      requiredClaims: ['iss', 'aud', 'sub', 'exp', 'iat', 'jti', 'ver'],
      allowedIss: config.publicUrl,
      allowedAud: config.tokenAudience,
      clockTolerance: LEEWAY_SECONDS * 1000,
      cache: false,
    },
  })

  app.addHook('onRoute', route => {
    const { auth, scope } = route.config ?? {}
    if (auth !== 'bearer') return
    // Not async: most requests bring a token that is known, and need not wait a turn for the answer.
    const required = (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) => {
      const admit = (claims: AccessClaims): AppError | undefined => {
        request.user = claims
        return scope && !covers(claims, scope) ? new AppError('insufficient_scope') : undefined
      }
      let known: AccessClaims | undefined
      let token: string
      try {
        token = bearerText(request)
        known = recall(token)
        if (!known) asToken(token)
      } catch (error) { done(error as Error); return }
      // The rest of the request runs in here: outside of the try, so that what it throws is not taken for a refusal.
      request.isKnown = known !== undefined
      if (known) done(admit(known))
      else neverUnavailable(verifyUnknown(request, token)).then(admit).then(done, done)
    }
    route.onRequest = [...[route.onRequest ?? []].flat(), required]
  })

  app.decorate('verifyBearer', verifyBearer)
  app.decorate('verifyAccessToken', verifyAccessToken)

  async function verifyBearer (request: FastifyRequest): Promise<void> {
    request.user = await neverUnavailable(verifyAccessToken(request, bearerToken(request)))
  }

  /** The caller refreshes or asks again: a token under a key that nobody has heard of is no reason to wait for the database. */
  async function neverUnavailable (verified: Promise<AccessClaims>): Promise<AccessClaims> {
    try { return await verified } catch (error) {
      throw error instanceof AppError && error.code === 'database_unavailable' ? new AppError('invalid_token', { cause: error }) : error
    }
  }

  /** What an earlier request has proved, where it still holds. */
  function recall (token: string): AccessClaims | undefined {
    const known = verified.find(token)
    if (!known) return undefined
    const { claims, kid } = known
    if (keyring.find('at', kid) && isInTime(claims, clock.now() / 1000)) {
      const { revision } = revocations
      if (known.revision === revision || !revocations.isRevoked(claims, kid)) {
        known.revision = revision
        app.tally.verified('accepted', 'hit')
        return claims
      }
    }
    // It says itself what is wrong with it, in the way of any other token.
    verified.forget(token)
    return undefined
  }

  async function verifyAccessToken (request: FastifyRequest, token: string): Promise<AccessClaims> {
    return recall(token) ?? await verifyUnknown(request, token)
  }

  async function verifyUnknown (request: FastifyRequest, token: string): Promise<AccessClaims> {
    const header = parseCompact(token)
    if (!header || header.typ !== ACCESS_TYP) throw refusal('malformed')
    let found
    // A relay that does not know the keys says so.
    try { found = await keyring.findFresh('at', header.kid) } catch (error) { throw counted('unavailable', error) }
    const { key, fresh } = found
    if (!key && !fresh) throw counted('unknown_key', new AppError('database_unavailable', { retryAfterSeconds: 2 }))
    if (!key) throw refusal('unknown_key')
    // One key, one algorithm (RFC 8725 §3.1): an RSA key would also verify PS256.
    if (key.alg !== header.alg) throw refusal('invalid')
    const caller = request.user
    request.presentedToken = token
    let claims: unknown
    try { claims = await request.jwtVerify() } catch (cause) { throw refusal((cause as FastifyError).code === 'FST_JWT_AUTHORIZATION_TOKEN_EXPIRED' ? 'expired' : 'invalid', cause) } finally { request.user = caller }
    const { revision } = revocations
    if (!isAccessClaims(claims, expected)) throw refusal('invalid')
    if (revocations.isRevoked(claims, header.kid)) throw refusal('revoked')
    verified.remember(token, { claims, kid: header.kid, revision })
    app.tally.verified('accepted')
    return claims
  }

  /** Whoever sent it learns that it is refused, and whoever runs this why, in numbers. */
  function refusal (verdict: Verdict, cause?: unknown): AppError {
    return counted(verdict, new AppError('invalid_token', { cause }))
  }

  function counted<E> (verdict: Verdict, error: E): E {
    app.tally.verified(verdict)
    return error
  }
}, { name: 'authenticate' })

/** A scope of users takes a user: a client's own token does not have it, and would not get by with it. */
const covers = ({ scope, sid }: AccessClaims, needed: string): boolean =>
  scope.split(' ').includes(needed) && (sid !== undefined || !USER_SCOPES.includes(needed))
