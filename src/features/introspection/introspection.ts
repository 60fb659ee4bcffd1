import type { AccessClaims } from '../../core/tokens/access-token.ts'

/** RFC 7662 §2.2: what the token says, and nothing that it does not. No claim of ours has a name of the first two. */
export const introspectionOf = (claims: AccessClaims | null) =>
  claims ? { ...claims, active: true as const, token_type: 'Bearer' as const } : { active: false as const }
