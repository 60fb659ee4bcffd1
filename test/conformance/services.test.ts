import * as oauth from 'oauth4webapi'
import t from 'tap'
import { freePort } from '../../src/db/embedded/start.ts'
import { cli } from '../helpers/cli.ts'
import { freshDatabase } from '../helpers/database.ts'
import { startProcess } from '../helpers/processes.ts'

t.test('an independent library that knows nothing but the issuer gets, checks, introspects and ends a token of a service', async t => {
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const audience = 'https://api.example.com'
  const database = await freshDatabase(t)
  await startProcess(t, database, { env: { PORT: String(port), PUBLIC_URL: issuer, TOKEN_AUDIENCE: audience } })
  const { stdout } = await cli(t, ['clients', 'create', '--name', 'Billing', '--scope', 'invoices:read'], { DATABASE_URL: database })
  const [, id, secret] = /client_id=(\S+)\nclient_secret=(\S+)/.exec(stdout) as unknown as [string, string, string]
  const insecure = { [oauth.allowInsecureRequests]: true }
  const client: oauth.Client = { client_id: id }
  const authentication = oauth.ClientSecretBasic(secret)

  const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure }))
  const { access_token: token, expires_in: expiresIn } = await oauth.processClientCredentialsResponse(as, client, await oauth.clientCredentialsGrantRequest(as, client, authentication, {}, insecure))
  t.ok(expiresIn! > 590)
  const claims = await oauth.validateJwtAccessToken(as, new Request(audience, { headers: { authorization: `Bearer ${token}` } }), audience, insecure)
  t.match(claims, { sub: id, client_id: id, scope: 'invoices:read' })
  const introspect = async () => await oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, authentication, token, insecure))
  t.match(await introspect(), { active: true, client_id: id })
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, authentication, token, insecure))
  t.strictSame(await introspect(), { active: false })
})
