import t from 'tap'
import { PASSWORD, world } from '../helpers/world.ts'

for (const verified of ['true', 'false']) {
  t.test(`a sign-up that is repeated with its key, also at once on another node, is one account and one mail (addresses to be verified: ${verified})`, async t => {
    const w = await world(t, { REQUIRE_VERIFIED_EMAIL: verified })
    const nodes = [w, await w.anotherNode()]
    const signUp = async (at: number, { email = 'ada@mail.test', password = PASSWORD, key = 'my-key' } = {}) =>
      await nodes[at % 2]!.call('POST', '/v1/auth/register', { body: { email, password }, headers: { 'idempotency-key': key } })
    // No more than three: each counts as a mail to that address, also one that in the end sends none.
    const [first, again] = await Promise.all([0, 1].map(async at => await signUp(at)))
    t.equal(first!.statusCode, verified === 'true' ? 202 : 201)
    t.strictSame([again!.statusCode, again!.body], [first!.statusCode, first!.body])
    t.match((await signUp(0, { password: `${PASSWORD}!` })).json(), { status: 422, code: 'idempotency_key_reused' }, 'another password is another request')
    t.strictSame(await w.sql(`SELECT (SELECT count(*)::int FROM users) AS users, (SELECT count(*)::int FROM pgboss.job WHERE name = 'email') AS mails,
      (SELECT count(*)::int FROM audit_event WHERE type = 'account.created') AS events`), [{ users: 1, mails: 1, events: 1 }])
    if (verified === 'false') t.equal((await signUp(0, { key: 'another' })).statusCode, 409, 'without the key of the first, it is a stranger who asks')
    // Whoever reads the table has nothing to guess passwords with quickly.
    t.notMatch(JSON.stringify(await w.sql('SELECT * FROM idempotency')), /ada|mail\.test|check_email/)
  })
}
