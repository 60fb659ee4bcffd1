import { ASSERTION_ALGS } from '../../core/clients/jwks.ts'
import { INTROSPECT_SCOPE, USER_SCOPES } from '../../core/tokens/scopes.ts'
import { CLIENT_AUTH_METHODS, TOKEN_PATH } from '../../http/client-auth.ts'

/** RFC 8414 §2, with only what works. Some members are required by readers of the OpenID document; they say that nothing of it is offered. */
export const serverMetadata = ({ publicUrl }: { publicUrl: string }, algs: readonly string[]) => ({
  issuer: publicUrl,
  jwks_uri: `${publicUrl}/.well-known/jwks.json`,
  token_endpoint: `${publicUrl}${TOKEN_PATH}`,
  token_endpoint_auth_methods_supported: CLIENT_AUTH_METHODS,
  token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
  introspection_endpoint: `${publicUrl}/oauth2/introspect`,
  // RFC 8414 §2: also the types of access token that are taken instead.
  introspection_endpoint_auth_methods_supported: [...CLIENT_AUTH_METHODS, 'Bearer'],
  introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
  revocation_endpoint: `${publicUrl}/oauth2/revoke`,
  revocation_endpoint_auth_methods_supported: [...CLIENT_AUTH_METHODS, 'none'],
  revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
  response_types_supported: [],
  grant_types_supported: ['client_credentials'],
  scopes_supported: [...USER_SCOPES, INTROSPECT_SCOPE],
  claims_supported: ['iss', 'aud', 'sub', 'client_id', 'jti', 'sid', 'ver', 'auth_time', 'amr', 'acr', 'scope', 'roles', 'iat', 'exp'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: [...new Set(algs)],
})
