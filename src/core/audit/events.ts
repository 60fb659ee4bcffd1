/** Where a request came from, as far as it is kept: no full address, and of the user agent so much as fits. */
export type Source = {
  /** IPv4 /24 or IPv6 /48. */
  addressPrefix: string | null
  userAgent: string | null
}

/** For what no request caused. */
const NOWHERE: Source = { addressPrefix: null, userAgent: null }

/** Who did it. `admin` is a user who acts on others. */
export type Actor = `user:${string}` | `admin:${string}` | `client:${string}` | 'cli' | 'system' | 'anonymous'

/** Who acts, and from where. */
export type By = { actor: Actor, source: Source }

/** A user who acts on others. */
export const byAdmin = ({ sub }: { sub: string }, source: Source): By => ({ actor: `admin:${sub}`, source })

/** Whoever has a shell beside the database. */
export const COMMAND_LINE: By = { actor: 'cli', source: NOWHERE }

export const AUDIT_TYPES = [
  'account.created', 'account.deleted', 'account.disabled', 'account.enabled', 'account.unlocked',
  'email.verified', 'email.change_requested', 'email.changed',
  'password.changed', 'password.refused', 'password.reset_requested', 'password.reset',
  'profile.changed', 'roles.changed', 'claims.changed',
  'session.started', 'session.refused', 'session.ended', 'session.reused', 'session.refreshed_late', 'sessions.ended',
  'client.created', 'client.deleted', 'key.rotated', 'key.revoked', 'everything.revoked',
] as const
export type AuditType = typeof AUDIT_TYPES[number]

/** What is recorded: facts about the act, never a secret, a token or a password. */
export type AuditEvent = {
  type: AuditType
  outcome?: 'success' | 'failure'
  actor: Actor
  userId?: string | null
  sid?: string | null
  source: Source
  /** A few small values. */
  data?: Readonly<Record<string, string | number | boolean | readonly string[]>>
}
