import fastifyJwt from '@fastify/jwt'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { VerifierContext } from '../context.ts'
import { ACCESS_TYP, isAccessClaims, LEEWAY_SECONDS, type AccessClaims } from '../core/tokens/access-token.ts'
import { parseCompact } from '../core/tokens/compact.ts'
import { AppError } from '../errors.ts'
import { bearerToken } from './bearer.ts'

declare module '@fastify/jwt' {
  interface FastifyJWT { payload: AccessClaims, user: AccessClaims }
}
declare module 'fastify' {
  interface FastifyInstance {
    /** Verifies the bearer token and sets request.user, where a route takes other proofs too. @throws invalid_token, invalid_request */
    verifyBearer: (request: FastifyRequest) => Promise<void>
  }
  interface FastifyRequest {
    /** The token under verification; @fastify/jwt takes it from here. */
    presentedToken: string
  }
}

/**
 * The one place where access tokens are verified, on the calling thread: fast-jwt under @fastify/jwt, because WebCrypto
 * would wait behind password hashes. No query and no socket, but for a kid nobody here has seen (at most one look-up in
 * five seconds). Every rejection is a 401: the library alone answers 500 to about a third of hostile shapes.
 */
export const authenticate = fp<{ ctx: VerifierContext }>(async (app, { ctx }) => {
  const { config, keyring, revocations, clock } = ctx
  const expected = { issuer: config.publicUrl, audience: config.tokenAudience, clock }
  app.decorateRequest('presentedToken', '')
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
      requiredClaims: ['iss', 'aud', 'sub', 'exp', 'iat', 'jti', 'sid', 'ver'],
      allowedIss: config.publicUrl,
      allowedAud: config.tokenAudience,
      clockTolerance: LEEWAY_SECONDS * 1000,
      cache: false,
    },
  })

  app.addHook('onRoute', route => {
    const { auth, scope } = route.config ?? {}
    if (auth !== 'bearer') return
    const required = async (request: FastifyRequest) => {
      await verifyBearer(request)
      if (scope && !request.user.scope.split(' ').includes(scope)) throw new AppError('insufficient_scope')
    }
    route.onRequest = [...[route.onRequest ?? []].flat(), required]
  })

  app.decorate('verifyBearer', verifyBearer)

  async function verifyBearer (request: FastifyRequest): Promise<void> {
    const token = bearerToken(request)
    const header = parseCompact(token)
    if (!header || header.typ !== ACCESS_TYP) throw new AppError('invalid_token')
    const { key } = await keyring.findFresh('at', header.kid)
    // One key, one algorithm (RFC 8725 §3.1): an RSA key would also verify PS256.
    if (!key || key.alg !== header.alg) throw new AppError('invalid_token')
    request.presentedToken = token
    try { await request.jwtVerify() } catch (cause) { throw new AppError('invalid_token', { cause }) }
    if (!isAccessClaims(request.user, expected)) throw new AppError('invalid_token')
    if (revocations.isRevoked(request.user, header.kid)) throw new AppError('invalid_token')
  }
}, { name: 'authenticate' })
