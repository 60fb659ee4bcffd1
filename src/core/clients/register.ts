import type { Db } from '../../db/client.ts'
import { AppError } from '../../errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { uuidv7 } from '../../lib/ids.ts'
import type { By } from '../audit/events.ts'
import { MAX_SCOPES, parseScopes, USER_SCOPES } from '../tokens/scopes.ts'
import { parseClientJwks } from './jwks.ts'
import { newSecret, secretDigest } from './secret.ts'
import { databaseTime, insertClient } from './store.ts'

/** `jwks`: the text of a JWK Set, for a client that signs assertions; else it gets a secret, which is never shown again. */
export type Registration = { name: string, scope: string, jwks?: string | undefined }

/** @throws invalid_request, with one sentence */
export async function registerClient ({ db, clock }: { db: Db, clock: Clock }, { name, scope, jwks }: Registration, by: By): Promise<{ id: string, secret: string | null }> {
  const keys = jwks === undefined ? null : await parseClientJwks(jwks)
  const secret = keys ? null : newSecret()
  // The name is shown to operators, on one line.
  if (!/^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u.test(name)) throw new AppError('invalid_request', { detail: 'The name must have 1 to 200 characters on one line.' })
  const scopes = grantable(scope)
  const id = uuidv7(await databaseTime(db) * 1000)
  await insertClient({ db, clock }, { id, name, secretDigest: secret === null ? null : secretDigest(secret), jwks: keys, scopes }, by)
  return { id, secret }
}

function grantable (scope: string): string[] {
  if (scope === '') return []
  const scopes = parseScopes(scope)
  if (!scopes) throw new AppError('invalid_request', { detail: `The scope must be at most ${MAX_SCOPES} words of printable ASCII without quotes and backslashes (RFC 6749 §3.3), separated by single spaces.` })
  const users = scopes.find(name => USER_SCOPES.includes(name))
  if (users !== undefined) throw new AppError('invalid_request', { detail: `The scope ${users} is for users: a client cannot have it.` })
  return scopes
}
