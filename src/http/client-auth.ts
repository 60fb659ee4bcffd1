import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Context, VerifierContext } from '../context.ts'
import type { Client } from '../core/clients/clients.ts'
import { isSecretOf } from '../core/clients/secret.ts'
import { isAssertionOf, issuerOfAssertion } from '../core/tokens/client-assertion.ts'
import { INTROSPECT_SCOPE } from '../core/tokens/scopes.ts'
import { AppError } from '../errors.ts'
import { decodeFormText } from './form-body.ts'

export const CLIENT_AUTH_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const
export const TOKEN_PATH = '/oauth2/token'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const BASIC = /^basic ([A-Za-z0-9+/]+={0,2})$/i

/** What a form may carry for it. */
export const credentialMembers = {
  client_id: Type.Optional(Type.String({ examples: ['01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f'] })),
  client_secret: Type.Optional(Type.String({ description: '`client_secret_post`; prefer the Authorization header.', examples: ['cHJldGVuZC10aGF0LXRoaXMtaXMtYS1zZWNyZXQ'] })),
  client_assertion_type: Type.Optional(Type.String({ examples: [ASSERTION_TYPE] })),
  client_assertion: Type.Optional(Type.String({ description: '`private_key_jwt` (RFC 7523): `iss` and `sub` are the client, `aud` this issuer, `exp` at most 60 s ahead.', examples: ['eyJhbGciOiJFUzI1NiIsImtpZCI6Ij…'] })),
}

export type CredentialForm = { client_id?: string, client_secret?: string, client_assertion_type?: string, client_assertion?: string }
/** `clients` is absent where there is no database: then nobody is one. */
export type ClientAuthDeps = Pick<VerifierContext, 'config' | 'clock' | 'revocations'> & Partial<Pick<Context, 'clients'>>

type Proof = { id: string, secret: string } | { id: string, assertion: string }

/**
 * The one place where clients are authenticated (RFC 6749 §2.3), from memory.
 * @returns null when the request does not try
 * @throws invalid_client, the same for an unknown client and a wrong proof; invalid_request when it tries in two ways;
 * database_unavailable when the client is unknown here and could not be looked up
 */
export async function authenticateClient (deps: ClientAuthDeps, request: FastifyRequest, form: CredentialForm = {}): Promise<Client | null> {
  const proof = proofOf(request, form)
  if (!proof) return null
  // The feed says that a client was deleted long before this node reads its clients again.
  if (deps.revocations.isRevoked({ sub: proof.id, jti: '', ver: 0, iat: Infinity }, '')) throw new AppError('invalid_client')
  const { client, fresh } = await deps.clients?.findFresh(proof.id) ?? { client: undefined, fresh: true }
  if (!client && !fresh) throw new AppError('database_unavailable', { retryAfterSeconds: 5 })
  if (!isProven(deps, client, proof)) throw new AppError('invalid_client')
  return client!
}

/** @throws as above, and invalid_client when the request does not try */
export async function requireClient (deps: ClientAuthDeps, request: FastifyRequest, form: CredentialForm): Promise<Client> {
  const client = await authenticateClient(deps, request, form)
  if (!client) throw new AppError('invalid_client')
  return client
}

/** A client, or a bearer who was given the scope for what only services need. @throws as above; invalid_token, insufficient_scope */
export async function requireClientOrBearer (app: FastifyInstance, deps: ClientAuthDeps, request: FastifyRequest, form: CredentialForm = {}): Promise<void> {
  if (!/^bearer\b/i.test(request.headers.authorization ?? '')) { await requireClient(deps, request, form); return }
  if (proofOf(request, form)) throw twoWays()
  await app.verifyBearer(request)
  if (!request.user.scope.split(' ').includes(INTROSPECT_SCOPE)) throw new AppError('insufficient_scope')
}

function proofOf (request: FastifyRequest, form: CredentialForm): Proof | null {
  const { client_id: id, client_secret: secret, client_assertion: assertion, client_assertion_type: type } = form
  const basic = basicProof(request)
  if ([basic, secret, assertion ?? type].filter(tried => tried !== undefined).length > 1) throw twoWays()
  if (basic) {
    if (id !== undefined && id !== basic.id) throw new AppError('invalid_request', { detail: 'client_id is not that of the Authorization header.' })
    return basic
  }
  if (secret !== undefined) {
    if (id === undefined) throw new AppError('invalid_request', { detail: 'client_secret needs client_id.' })
    return { id, secret }
  }
  if (assertion === undefined && type === undefined) return null
  if (assertion === undefined || type !== ASSERTION_TYPE) throw new AppError('invalid_request', { detail: `client_assertion needs client_assertion_type=${ASSERTION_TYPE}.` })
  const issuer = issuerOfAssertion(assertion)
  // RFC 7521 §4.2: client_id is unnecessary, and must not name somebody else.
  if (issuer === null || (id !== undefined && id !== issuer)) throw new AppError('invalid_client')
  return { id: issuer, assertion }
}

/** RFC 6749 §2.3.1: both halves are form-encoded before they are joined. */
function basicProof (request: FastifyRequest): { id: string, secret: string } | undefined {
  const { authorization } = request.headers
  if (authorization === undefined || /^bearer\b/i.test(authorization)) return undefined
  const names = request.raw.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'authorization')
  if (names.length > 1) throw twoWays()
  const pair = Buffer.from(BASIC.exec(authorization)?.[1] ?? '', 'base64').toString()
  const at = pair.indexOf(':')
  if (at < 0) throw new AppError('invalid_client')
  try { return { id: decodeFormText(pair.slice(0, at)), secret: decodeFormText(pair.slice(at + 1)) } } catch (cause) { throw new AppError('invalid_client', { cause }) }
}

function isProven ({ config, clock }: ClientAuthDeps, client: Client | undefined, proof: Proof): boolean {
  if ('secret' in proof) return isSecretOf(client, proof.secret)
  return client !== undefined && isAssertionOf(client, proof.assertion, { publicUrl: config.publicUrl, tokenEndpoint: `${config.publicUrl}${TOKEN_PATH}`, clock })
}

const twoWays = (): AppError => new AppError('invalid_request', { detail: 'Authenticate in one way only.' })
