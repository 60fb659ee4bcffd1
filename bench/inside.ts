import { loadConfig } from '../src/config.ts'
import { openContext, type Context } from '../src/context.ts'
import { issueAccessToken } from '../src/core/tokens/access-token.ts'
import { newSession } from '../src/core/sessions/issue.ts'
import { findForSignIn } from '../src/core/users/store.ts'
import { createLog } from '../src/log.ts'
import type { Setting } from './measure.ts'
import { productionEnvironment } from './processes.ts'

/** The service's own code on the same database, as another node would have it: to make by the thousand what a client gets one at a time. */
export async function openInside ({ databaseUrl, teardown }: Pick<Setting, 'databaseUrl' | 'teardown'>): Promise<Context> {
  const config = loadConfig(productionEnvironment(databaseUrl), () => '')
  const { ctx, close } = await openContext({ config, databaseUrl, keyEncryptionKey: config.keyEncryptionKey!, log: createLog({ logLevel: 'silent' }) })
  teardown(close)
  return ctx
}

/** Access tokens of so many sessions of a user, which no request has brought yet. */
export async function mintAccessTokens ({ db, config, keyring }: Context, email: string, count: number): Promise<string[]> {
  const user = (await findForSignIn(db, email))!
  const key = keyring.signingKey('at', user.now)
  return Array.from({ length: count }, () => {
    const session = newSession({ config }, { user, scope: 'account', remember: true, amr: ['pwd'], now: user.now })
    return issueAccessToken(key, config, session, user, 1, Math.floor(user.now)).token
  })
}
