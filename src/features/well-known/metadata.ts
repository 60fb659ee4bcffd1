/** RFC 8414 §2, with only what works. Some members are required by readers of the OpenID document; they say that nothing of it is offered. */
export const serverMetadata = ({ publicUrl }: { publicUrl: string }, algs: readonly string[]) => ({
  issuer: publicUrl,
  jwks_uri: `${publicUrl}/.well-known/jwks.json`,
  response_types_supported: [],
  grant_types_supported: [],
  scopes_supported: ['account', 'admin'],
  claims_supported: ['iss', 'aud', 'sub', 'client_id', 'jti', 'sid', 'ver', 'auth_time', 'amr', 'acr', 'scope', 'roles', 'iat', 'exp'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: [...new Set(algs)],
})
