import type { AccessClaims } from '../../core/tokens/access-token.ts'

/** RFC 7662 §2.2: what the token says, and nothing that it does not. */
export const introspectionOf = (claims: AccessClaims | null) => {
  if (!claims) return { active: false as const }
  const { scope, client_id: clientId, sub, exp, iat, aud, iss, jti, sid, ver, roles, amr, auth_time: authTime, acr } = claims
  return {
    active: true as const,
    scope,
    client_id: clientId,
    token_type: 'Bearer' as const,
    sub,
    exp,
    iat,
    aud,
    iss,
    jti,
    ver,
    ...(sid !== undefined && { sid }),
    ...(roles !== undefined && { roles }),
    ...(amr !== undefined && { amr }),
    ...(authTime !== undefined && { auth_time: authTime }),
    ...(acr !== undefined && { acr }),
  }
}
