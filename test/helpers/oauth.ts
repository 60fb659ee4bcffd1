import { randomUUID } from 'node:crypto'
import type { LightMyRequestResponse } from 'fastify'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose'
import { COMMAND_LINE } from '../../src/core/audit/events.ts'
import { registerClient } from '../../src/core/clients/register.ts'
import type { Node } from './world.ts'

export type TestClient = { id: string, secret: string }
export type Form = Record<string, string> | string
type Options = { basic?: TestClient | string, bearer?: string, headers?: Record<string, string> }

const FORM_TYPE = 'application/x-www-form-urlencoded'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
export const basicOf = ({ id, secret }: TestClient): string => `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`

/** A client that this node knows already. Others look it up. */
export async function newClient ({ ctx }: Pick<Node, 'ctx'>, { scope = 'things:read things:write', jwks }: { scope?: string, jwks?: string } = {}): Promise<TestClient> {
  const { id, secret } = await registerClient(ctx, { name: `client ${randomUUID()}`, scope, jwks }, COMMAND_LINE)
  await ctx.clients.reload()
  return { id, secret: secret ?? '' }
}

/** A form as a service sends it; the answer is held against openapi.yaml. */
export async function post ({ call }: Pick<Node, 'call'>, path: string, form: Form, { basic, bearer, headers }: Options = {}): Promise<LightMyRequestResponse> {
  return await call('POST', path, {
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    ...(bearer !== undefined && { bearer }),
    headers: { 'content-type': FORM_TYPE, ...(basic !== undefined && { authorization: typeof basic === 'string' ? basic : basicOf(basic) }), ...headers },
  })
}

export const GRANT = { grant_type: 'client_credentials' }

/** A token of the client's own. */
export async function tokenOf (node: Pick<Node, 'call'>, client: TestClient, form: Record<string, string> = {}): Promise<string> {
  const answer = await post(node, '/oauth2/token', { ...GRANT, ...form }, { basic: client })
  if (answer.statusCode !== 200) throw new Error(`the token endpoint answered ${answer.statusCode} ${answer.body}`)
  return answer.json().access_token
}

export type Signer = { jwks: string, privateKey: CryptoKey, kid: string, alg: string }

/** Keys of a client that signs assertions. */
export async function newSigner (alg: 'ES256' | 'RS256' | 'PS256' = 'ES256', kid = 'key-1'): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg)
  return { jwks: JSON.stringify({ keys: [{ ...await exportJWK(publicKey), kid, alg }] }), privateKey, kid, alg }
}

/** An assertion as RFC 7523 wants it, but for what the test changes; `undefined` removes a claim. */
export async function assertion ({ privateKey, kid, alg }: Signer, id: string, audience: string, { claims = {}, header = {} }: { claims?: object, header?: object } = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return await new SignJWT(JSON.parse(JSON.stringify({ iss: id, sub: id, aud: audience, jti: randomUUID(), iat: now, exp: now + 60, ...claims })) as JWTPayload)
    .setProtectedHeader({ alg, kid, ...header }).sign(privateKey)
}
export const assertionForm = (token: string) => ({ client_assertion_type: ASSERTION_TYPE, client_assertion: token })
