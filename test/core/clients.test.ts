import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { Clients } from '../../src/core/clients/clients.ts'
import { COMMAND_LINE } from '../../src/core/audit/events.ts'
import { registerClient } from '../../src/core/clients/register.ts'
import { isSecretOf } from '../../src/core/clients/secret.ts'
import { deleteClient } from '../../src/core/clients/store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { uuidv7, uuidv7Time } from '../../src/lib/ids.ts'
import { databaseLink } from '../helpers/database-link.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { open, silent } from '../helpers/open.ts'

/** The copy that a node keeps, over a wire that counts. */
async function copy (t: Parameters<typeof databaseLink>[0]) {
  const url = await freshDatabase(t)
  const link = await databaseLink(t, url)
  const clients = new Clients({ db: open(t, link.url), log: silent })
  await clients.start()
  t.teardown(() => clients.stop())
  link.statements.length = 0
  return { clients, link, sql: await sqlTo(t, url), db: open(t, url) }
}

t.test('a thousand unknown ids cost one look at the table, and ids that cannot be new cost none', async t => {
  const { clients, link } = await copy(t)
  const old = Array.from({ length: 500 }, () => uuidv7(Date.now() - 120_000))
  const future = Array.from({ length: 100 }, () => uuidv7(Date.now() + 120_000))
  const others = ['', 'x', '__proto__', 'constructor', 'a'.repeat(60_000), randomUUID(), randomUUID().toUpperCase(), uuidv7(Date.now()).toUpperCase()]
  for (const answer of await Promise.all([...old, ...future, ...others].map(async id => await clients.findFresh(id)))) t.strictSame(answer, { client: undefined, fresh: true })
  t.equal(link.statements.length, 0)
  const young = await Promise.all(Array.from({ length: 1_000 }, async () => await clients.findFresh(uuidv7(Date.now()))))
  t.equal(link.statements.length, 1)
  for (const answer of young) t.strictSame(answer, { client: undefined, fresh: true }, 'it began after all of them had asked')
  t.strictSame(await clients.findFresh(uuidv7(Date.now())), { client: undefined, fresh: false }, 'who comes after it is not told that there is none')
  t.equal(link.statements.length, 1)
})

t.test('a row that was broken by hand keeps nobody else out', async t => {
  const { clients, sql, db } = await copy(t)
  const { id, secret } = await registerClient({ db, clock: systemClock }, { name: 'Good', scope: '' }, COMMAND_LINE)
  const broken = [[Buffer.alloc(7), null], [null, '{}'], [null, '{"keys":[{}]}'], [null, '{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"a","alg":"ES256"}]}'], [null, '[]']]
  for (const [digest, jwks] of broken) await sql('INSERT INTO client (id, name, secret_digest, jwks) VALUES ($1, \'Broken\', $2, $3)', [randomUUID(), digest, jwks])
  await clients.reload()
  const { client } = await clients.findFresh(id)
  t.equal(isSecretOf(client, secret!), true)
  const [first] = await sql<{ id: string }>('SELECT id FROM client WHERE name = \'Broken\'') as [{ id: string }]
  t.equal((await clients.findFresh(first.id)).client, undefined)
})

t.test('a deleted client is gone at the next read, and a second deletion finds nothing', async t => {
  const { clients, db } = await copy(t)
  const { id } = await registerClient({ db, clock: systemClock }, { name: 'Short-lived', scope: 'a' }, COMMAND_LINE)
  t.match((await clients.findFresh(id)).client, { id, name: 'Short-lived', scopes: ['a'] })
  t.strictSame(await Promise.all([deleteClient({ db, clock: systemClock }, id, COMMAND_LINE), deleteClient({ db, clock: systemClock }, id, COMMAND_LINE)]).then(done => done.sort()), [false, true], 'of two at once one did it')
  await clients.reload()
  t.equal((await clients.findFresh(id)).client, undefined)
})

t.test('while the database is away known clients stay known, and new ones are not called unknown', async t => {
  const { clients, link, db } = await copy(t)
  const { id } = await registerClient({ db, clock: systemClock }, { name: 'Known', scope: '' }, COMMAND_LINE)
  await clients.reload()
  await link.cut()
  t.ok((await clients.findFresh(id)).client)
  t.strictSame(await clients.findFresh(uuidv7(Date.now())), { client: undefined, fresh: false })
})

t.test('nothing is the secret of nobody', async t => {
  for (const secret of ['', 'x', randomBytes(32).toString('base64url')]) {
    for (const client of [undefined, { secretDigest: null }]) t.equal(isSecretOf(client, secret), false)
  }
})

t.test('an id says when it was made', async t => {
  for (const ms of [0, 1, 1_795_481_243_500, 2 ** 48 - 1]) t.equal(uuidv7Time(uuidv7(ms)), ms)
})
