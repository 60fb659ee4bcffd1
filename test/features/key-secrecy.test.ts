import { createPrivateKey, randomBytes } from 'node:crypto'
import t from 'tap'
import { world } from '../helpers/world.ts'

/** A secret as it may turn up in text; the last is how JSON writes a Buffer. */
const spellings = (secret: Buffer): string[] =>
  [...(['base64', 'base64url', 'hex'] as const).map(encoding => secret.toString(encoding).slice(0, 40)), secret.subarray(0, 12).join()]

for (const algorithm of ['ES256', 'RS256']) {
  t.test(`nothing that a ${algorithm} installation answers or logs holds anything that signs or unseals`, async t => {
    const kek = randomBytes(32)
    const w = await world(t, { SIGNING_ALG: algorithm, KEY_ENCRYPTION_KEY: `k:${kek.toString('base64')}`, LOG_LEVEL: 'debug' })
    const { call, signIn, sql, ctx } = w
    const keys = (await sql<{ kid: string, use: 'at' | 'rt' | 'ft' }>('SELECT kid, use FROM signing_key')).map(({ kid, use }) => ctx.keyring.find(use, kid)!)
    const secrets = keys.flatMap(({ secret }) => {
      if (typeof secret !== 'string') return spellings(secret)
      const { d, p } = createPrivateKey(secret).export({ format: 'jwk' })
      return [secret.split('\n')[1]!, secret.split('\n')[2]!, ...[d!, p].flatMap(member => member ? spellings(Buffer.from(member, 'base64url')) : [])]
    })
    t.equal(keys.length, 6)

    const tokens = await signIn()
    const said: string[] = []
    const ask = async (...request: Parameters<typeof call>) => { const { body, headers } = await call(...request); said.push(body, JSON.stringify(headers)) }
    for (const path of ['/.well-known/jwks.json', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', '/livez', '/readyz', '/readyz/full', '/openapi.json', '/docs', '/none']) await ask('GET', path)
    for (const { kid } of keys) {
      await ask('GET', `/v1/keys/${kid}.pem`)
      await ask('GET', '/v1/auth/verify', { bearer: `${Buffer.from(JSON.stringify({ alg: algorithm, typ: 'at+jwt', kid })).toString('base64url')}.e30.AAAA` })
      await ask('POST', '/v1/auth/refresh', { body: { refresh_token: `${Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'rt+jwt', kid })).toString('base64url')}.e30.AAAA` } })
    }
    await ask('GET', '/v1/me', { bearer: tokens.access_token })
    await sql('ALTER TABLE users RENAME TO users_away')
    const broken = await w.app.inject({ method: 'GET', url: '/v1/me', headers: { authorization: `Bearer ${tokens.access_token}` } })
    t.equal(broken.statusCode, 500, 'an error of our own, too')
    said.push(broken.body, JSON.stringify(w.logLines()), JSON.stringify(ctx.keyring), JSON.stringify(await sql('SELECT public_jwk FROM signing_key')))

    const everything = said.join('\n')
    for (const secret of [...secrets, ...spellings(kek)]) t.notOk(everything.includes(secret))
    t.notMatch(everything, /PRIVATE KEY|\\?"(d|p|q|dp|dq|qi|k|oth)\\?":/)
    t.ok(everything.includes(keys.find(({ use }) => use === 'at')!.kid), 'it did look where keys are spoken of')
  })
}
