import { hash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { VerifierContext } from '../../context.ts'
import { toJwks } from '../../core/keys/jwks.ts'
import { AppError } from '../../errors.ts'
import { problemResponses } from '../../http/schemas.ts'
import { typed } from '../../http/typed.ts'
import { isUnchanged } from '../../http/unchanged.ts'
import { serverMetadata } from './metadata.ts'

const Jwk = Type.Object({
  kty: Type.String(), kid: Type.String(), use: Type.String(), alg: Type.String(),
  crv: Type.Optional(Type.String()), x: Type.Optional(Type.String()), y: Type.Optional(Type.String()),
  n: Type.Optional(Type.String()), e: Type.Optional(Type.String()),
}, { title: 'Jwk' })
const Metadata = Type.Object({
  issuer: Type.String(), jwks_uri: Type.String(),
  token_endpoint: Type.String(), introspection_endpoint: Type.String(), revocation_endpoint: Type.String(),
  response_types_supported: Type.Array(Type.String()), grant_types_supported: Type.Array(Type.String()),
  scopes_supported: Type.Array(Type.String()), claims_supported: Type.Array(Type.String()),
  subject_types_supported: Type.Array(Type.String()), id_token_signing_alg_values_supported: Type.Array(Type.String()),
}, { title: 'ServerMetadata', additionalProperties: true })

// Public keys (RFC 7517) and metadata (RFC 8414), from memory and for every origin. A private member can not get in: keys
// enter the table as picked public members. Cached by everybody, so the next key is here a whole slot before it signs.
export async function wellKnownRoutes (instance: FastifyInstance, { ctx }: { ctx: VerifierContext }): Promise<void> {
  const app = typed(instance)
  const { keyring, config } = ctx
  const cacheControl = `public, max-age=${config.jwksMaxAgeSeconds}, stale-while-revalidate=86400, stale-if-error=86400`
  const open = { auth: 'none', limit: 'open', publicRead: true } as const

  app.get('/.well-known/jwks.json', {
    config: open,
    schema: {
      operationId: 'getJwks',
      summary: 'Public keys of access tokens',
      tags: ['Verification'],
      response: {
        200: { description: 'JWK Set (RFC 7517)', content: { 'application/json': { schema: Type.Object({ keys: Type.Array(Jwk) }, { title: 'JwkSet' }) } } },
        304: Type.Null({ description: 'Unchanged since the `ETag` in `If-None-Match`.' }),
        ...problemResponses('stale_revocations'),
      },
    },
  }, async (request, reply) => {
    const body = toJwks(keyring.published())
    const etag = `"${hash('sha256', body.keys.map(key => key.kid).join(), 'base64url').slice(0, 22)}"`
    reply.headers({ etag, 'cache-control': cacheControl })
    if (isUnchanged(request, etag)) return await reply.code(304).send(null)
    return await reply.send(body)
  })

  for (const [url, operationId] of [
    ['/.well-known/oauth-authorization-server', 'getServerMetadata'],
    ['/.well-known/openid-configuration', 'getDiscovery'],
  ] as const) {
    app.get(url, {
      config: open,
      schema: {
        operationId,
        summary: 'Where things are, and what works',
        tags: ['Verification'],
        response: { 200: { description: 'Server metadata (RFC 8414)', content: { 'application/json': { schema: Metadata } } }, ...problemResponses('stale_revocations') },
      },
    }, async (_request, reply) => await reply.header('cache-control', cacheControl).send(serverMetadata(config, keyring.published().map(key => key.alg))))
  }

  app.get('/v1/keys/:kid.pem', {
    config: open,
    schema: {
      operationId: 'getKeyPem',
      summary: 'One public key as PEM',
      description: 'For gateways that read key files.',
      tags: ['Verification'],
      params: Type.Object({ kid: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }) }),
      response: {
        200: { description: 'SubjectPublicKeyInfo (RFC 7468)', content: { 'application/x-pem-file': { schema: Type.String() } } },
        ...problemResponses('invalid_request', 'not_found', 'stale_revocations'),
      },
    },
  }, async (request, reply) => {
    const key = keyring.published().find(key => key.kid === request.params.kid)
    if (!key?.public) throw new AppError('not_found')
    return await reply.header('cache-control', cacheControl).type('application/x-pem-file').send(key.public.pem)
  })
}
