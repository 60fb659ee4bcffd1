import { Type } from 'typebox'
import type { Account } from '../../core/users/admin/account.ts'
import { Email, Instant, OneOf, pageQuery, Strict, Uuid } from '../../http/schemas.ts'

const Role = Type.String({ pattern: '^[A-Za-z0-9._:-]{1,64}$', examples: ['support'] })
const Roles = Type.Array(Role, { maxItems: 64, uniqueItems: true })
const Claims = Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, maxProperties: 64, description: 'Go into access tokens beside ours; names that tokens use themselves are refused.', examples: [{ tenant: 'acme' }] })
const Name = Type.String({ minLength: 1, maxLength: 200, examples: ['Ada'] })
const Locale = Type.String({ minLength: 1, maxLength: 64, description: 'BCP 47; the language of mail.', examples: ['de'] })
const Status = OneOf(['active', 'disabled'], { title: 'UserStatus' })
const nullable = <T extends ReturnType<typeof Type.String>>(schema: T) => Type.Union([schema, Type.Null()])

export const AdminUser = Strict({
  id: Uuid,
  email: Type.String({ examples: ['ada@example.com'] }),
  email_verified: Type.Boolean(),
  name: Type.Union([Type.String(), Type.Null()], { examples: ['Ada'] }),
  status: Status,
  roles: Type.Array(Type.String()),
  claims: Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true }),
  locale: Type.Union([Type.String(), Type.Null()], { examples: ['de'] }),
  has_password: Type.Boolean({ description: 'false: its owner has not set one yet.' }),
  created_at: Instant,
  updated_at: Instant,
}, { $id: 'AdminUser', title: 'AdminUser', description: 'An account as administrators see it' })

export const NewUser = Strict({
  email: Email,
  name: Type.Optional(Name),
  roles: Type.Optional(Roles),
  claims: Type.Optional(Claims),
  locale: Type.Optional(Locale),
  email_verified: Type.Optional(Type.Boolean({ description: 'false when absent.' })),
  send_invitation: Type.Optional(Type.Boolean({ description: 'Mail its owner a link to set the first password. true when absent.' })),
})

export const UserPatch = Strict({
  email: Type.Optional(Email),
  email_verified: Type.Optional(Type.Boolean({ description: 'Left out with a new `email`: not confirmed.' })),
  name: Type.Optional(nullable(Name)),
  locale: Type.Optional(nullable(Locale)),
  roles: Type.Optional(Roles),
  claims: Type.Optional(Claims),
  status: Type.Optional(Status),
  revoke_sessions: Type.Optional(Type.Boolean({ description: 'End every session now; otherwise a change of roles or claims counts from the next refresh on. Disabling always does.' })),
}, { minProperties: 1 })

export const UserQuery = Strict({
  ...pageQuery,
  email: Type.Optional(Type.String({ minLength: 1, maxLength: 320, description: 'Exactly this address.', examples: ['ada@example.com'] })),
  email_prefix: Type.Optional(Type.String({ pattern: '^[!-~]{1,254}$', description: 'Addresses that begin like this, in their order.', examples: ['ada@'] })),
  status: Type.Optional(Status),
  verified: Type.Optional(OneOf(['true', 'false'])),
  role: Type.Optional(Role),
})

export const ById = Strict({ id: Uuid })

/** Weakened by whoever compressed on the way, it still names what was seen. */
export const IfMatch = Type.Object({
  'if-match': Type.String({ pattern: '^(W/)?"[A-Za-z0-9_-]{1,64}"$', description: '`ETag` of the user as you have read it: whoever changed it since is not overwritten.', examples: ['"xq0vYp3kS0mW8JrC9v2d1A"'] }),
})

export const accountAnswer = (account: Account) => ({
  id: account.id,
  email: account.email,
  email_verified: account.emailVerified,
  name: account.name,
  status: account.active ? 'active' as const : 'disabled' as const,
  roles: account.roles,
  claims: account.claims,
  locale: account.locale,
  has_password: account.hasPassword,
  created_at: account.createdAt.toISOString(),
  updated_at: account.updatedAt.toISOString(),
})
