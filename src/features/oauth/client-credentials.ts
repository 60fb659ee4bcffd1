import type { Config } from '../../config.ts'
import { findForIssue } from '../../core/clients/store.ts'
import type { Keyring } from '../../core/keys/keyring.ts'
import { issueClientToken } from '../../core/tokens/access-token.ts'
import { parseScopes, USER_SCOPES } from '../../core/tokens/scopes.ts'
import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'

type Deps = { db: Db, keyring: Keyring, config: Config }

/**
 * A token of the client's own (RFC 6749 §4.4), for all its scopes or those it asks for. One statement: it brings the database's time,
 * without which a node whose clock runs ahead could issue a token that outlives the feed entry of its ending.
 * @throws invalid_client, invalid_scope, database_unavailable
 */
export async function grantClientCredentials ({ db, keyring, config }: Deps, client: { id: string }, asked: string | undefined): Promise<{ token: string, expiresIn: number, scope: string }> {
  const found = await findForIssue(db, client.id)
  if (!found) throw new AppError('invalid_client')
  // Whatever is in the table: what opens the routes of users is never in a client's token.
  const allowed = found.scopes.filter(scope => !USER_SCOPES.includes(scope))
  const scopes = asked === undefined ? allowed : parseScopes(asked)
  if (!scopes || scopes.length === 0 || scopes.some(scope => !allowed.includes(scope))) throw new AppError('invalid_scope')
  const scope = scopes.join(' ')
  return { scope, ...issueClientToken(keyring.signingKey('at', Math.floor(found.now)), config, { clientId: client.id, scope, now: found.now }) }
}
