import { Type, type TSchema } from 'typebox'
import { errorCodes, type ErrorCode } from '../errors.ts'
import { oauthErrorOf, oauthErrors } from './oauth-errors.ts'

/** A string enumeration that generators understand; TypeBox's own union becomes an anyOf of constants. */
export const OneOf = <const V extends readonly string[]>(values: V, options: object = {}) => Type.Unsafe<V[number]>({ ...options, type: 'string', enum: values })

/** A body or an answer: unknown members are refused. */
export const Strict = <P extends Record<string, TSchema>>(properties: P, options: object = {}) => Type.Object(properties, { ...options, additionalProperties: false })

/** An answer without a body; Type.Null, but with 204, would send the word null. */
export const Empty = (description: string) => Type.Unsafe<undefined>({ type: 'null', description })

export const Email = Type.String({ minLength: 3, maxLength: 320, description: 'Trimmed and lower-cased before it is judged.', examples: ['ada@example.com'] })
export const Password = Type.String({ minLength: 1, maxLength: 1024, description: 'Compared exactly, in Unicode NFC.', examples: ['a long enough pass phrase'] })
export const NewPassword = Type.String({ minLength: 1, maxLength: 1024, description: 'Judged by the password policy.', examples: ['another long pass phrase'] })
export const ActionToken = Type.String({ minLength: 1, maxLength: 8192, description: 'What follows `#token=` in the link.', examples: ['eyJhbGciOiJIUzI1NiIsInR5cCI6InByK2p3dCIsImtpZCI6Ij…'] })
export const RefreshToken = Type.String({ minLength: 1, maxLength: 8192, description: 'Opaque to the client.', examples: ['eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCIsImtpZCI6Ij…'] })
export const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', examples: ['01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f'] })
/** Seconds since the epoch: 32 bits end in 2038, and some languages take what they are told. */
export const Epoch = Type.Integer({ format: 'int64' })
/** What is no whole number, in full; without the word, Go reads it into 32 bits. */
export const Double = (options: object = {}) => Type.Number({ ...options, format: 'double' })
/** RFC 7519 allows a list, and whoever verifies must take one; our tokens have one audience, and Java's generator makes no code that compiles of both. */
export const Audience = Type.Unsafe<string | string[]>({ type: 'string' })
export const Instant = Type.String({ format: 'date-time', examples: ['2026-11-24T10:00:00.000Z'] })

/** For a body that asks for tokens. */
export const RefreshDelivery = Type.Optional(OneOf(['cookie', 'body'], { title: 'RefreshDelivery', description: 'Where the refresh token goes: an HttpOnly cookie for pages (when absent), the body for native apps.' }))

const UserSchema = Strict({
  id: Uuid,
  email: Type.String({ examples: ['ada@example.com'] }),
  email_verified: Type.Boolean(),
  name: Type.Union([Type.String(), Type.Null()], { examples: ['Ada'] }),
  locale: Type.Union([Type.String(), Type.Null()], { description: 'BCP 47; the language of mail.', examples: ['en-GB'] }),
  profile: Type.Object({}, { additionalProperties: true, description: 'What the user writes about themselves. In no token.', examples: [{ time_zone: 'Europe/London' }] }),
  roles: Type.Array(Type.String()),
  created_at: Instant,
}, { $id: 'User', title: 'User' })

export const TokenType = OneOf(['Bearer'], { title: 'TokenType' })

const tokenMembers = {
  access_token: Type.String({ description: 'JWT (RFC 9068), for the Authorization header.', examples: ['eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Ij…'] }),
  token_type: TokenType,
  expires_in: Type.Integer({ minimum: 0, description: 'Seconds.', examples: [600] }),
  refresh_token: Type.Optional(Type.String({ description: 'Only in body mode; in cookie mode it is in `__Host-rt`, out of reach of scripts.' })),
}

const TokensSchema = Strict(tokenMembers, { $id: 'Tokens', title: 'Tokens' })
const SignedInSchema = Strict({ ...tokenMembers, user: Type.Ref('User') }, { $id: 'SignedIn', title: 'SignedIn' })

/** For `schema.querystring` of a list: how many, and from where. */
export const pageQuery = {
  limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|100)$', description: 'How many items at most, 1 to 100; 50 when absent.', examples: ['50'] })),
  cursor: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{40,1024}$', description: '`next` of the page before, with the same filters. Valid for a day, on any node, for whom it was given to.' })),
}
export const limitOf = ({ limit }: { limit?: string | undefined }): number => Number(limit ?? 50)

/** A page of a list: `next` leads to the one after it, and is null on the last. */
export const Page = (title: string, item: TSchema) => Strict({ items: Type.Array(item), next: Type.Union([Type.String(), Type.Null()], { description: '`cursor` of the next page; null: this is the last.' }) }, { title, description: 'A page.' })

const ProblemSchema = Strict({
  type: Type.String({ examples: ['about:blank'] }),
  title: Type.String(),
  status: Type.Integer(),
  code: OneOf(Object.keys(errorCodes), { title: 'ErrorCode', description: 'Stable; see docs/errors.md.' }),
  detail: Type.Optional(Type.String()),
  request_id: Type.String(),
  errors: Type.Optional(Type.Array(Strict({ pointer: Type.String({ description: 'JSON pointer (RFC 6901) into the body.' }), code: Type.String(), message: Type.String() }, { title: 'FieldError' }))),
}, { $id: 'Problem', title: 'Problem', description: 'RFC 9457 problem details' })

const OAuthErrorSchema = Strict({
  error: OneOf([...oauthErrors], { title: 'OAuthErrorCode', description: 'RFC 6749 §5.2, RFC 6750 §3.1. The status tells apart what one word covers.' }),
  error_description: Type.String({ description: 'For people; may change.' }),
}, { $id: 'OAuthError', title: 'OAuthError' })

export const sharedSchemas = [UserSchema, TokensSchema, SignedInSchema, ProblemSchema, OAuthErrorSchema]

/** What any route can answer: limits, methods and our own faults. */
const EVERYWHERE: readonly ErrorCode[] = ['malformed_request', 'too_many_requests', 'internal']

/** The error answers of a route, by status, from the codes it can give; every route can give those of EVERYWHERE too. */
export const problemResponses = (...codes: ErrorCode[]): Record<number, TSchema> =>
  errorResponses(codes, code => code, { 'application/problem+json': { schema: Type.Ref('Problem') } })

/** The same under /oauth2, where a caller sees the words of OAuth. */
export const oauthResponses = (...codes: ErrorCode[]): Record<number, TSchema> =>
  errorResponses(codes, oauthErrorOf, { 'application/json': { schema: Type.Ref('OAuthError') } })

function errorResponses (codes: ErrorCode[], nameOf: (code: ErrorCode) => string, content: object): Record<number, TSchema> {
  const byStatus = new Map<number, Set<string>>()
  for (const code of [...codes, ...EVERYWHERE]) {
    const { status } = errorCodes[code]
    byStatus.set(status, new Set([...byStatus.get(status) ?? [], nameOf(code)]))
  }
  return Object.fromEntries([...byStatus].map(([status, its]) => [status, {
    description: [...its].map(code => `\`${code}\``).join(', '),
    content,
  } as unknown as TSchema]))
}
