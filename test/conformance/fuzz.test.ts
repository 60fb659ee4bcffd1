import t from 'tap'
import { contract } from '../helpers/contract.ts'
import { fuzzed } from '../helpers/fuzz/run.ts'
import { PASSWORD } from '../helpers/world.ts'

// FUZZ_SEED repeats a run; `npm run fuzz` is the long form, which also looks at the memory.
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 30))
const count = Number(process.env['FUZZ_REQUESTS'] ?? 2_000)

t.test(`whatever ${count} requests say (seed ${seed}), each answer is a documented one, tells nothing of the inside, and the service goes on`, async t => {
  const { run, ask, account, sql } = await fuzzed(t)
  const before = await account('account')
  const { faults, statuses, succeeded, megabytes } = await run(count, seed)
  for (const fault of faults) t.fail(fault)
  t.equal(faults.length, 0, `FUZZ_SEED=${seed}`)
  t.comment(`statuses ${JSON.stringify(statuses)}; ${succeeded.size} operations succeeded; ${megabytes.start} MB, then ${megabytes.end} MB`)

  // It is not the front door alone that was tried.
  const operations = Object.values(contract.paths).flatMap(methods => Object.values(methods)).length
  t.ok(succeeded.size > operations / 3, `${succeeded.size} of ${operations} operations were carried out`)
  t.strictSame(Object.keys(Object.prototype), [], 'nothing was planted where every object finds it')
  t.match(await ask('POST', '/v1/auth/login', { email: before.email, password: PASSWORD, refresh: 'body' }), { statusCode: 200, user: { id: before.id, roles: [] } })
  const clean = await account('account')
  t.match(await ask('GET', '/v1/me', undefined, clean.access), { statusCode: 200, id: clean.id, roles: [], email: clean.email })
  t.match(await ask('POST', '/v1/auth/refresh', { refresh_token: clean.refresh }), { statusCode: 200 })
  t.strictSame(await sql('SELECT count(*)::int AS users FROM users WHERE \'admin\' = ANY (roles) AND email NOT LIKE \'%@example.com\''), [{ users: 0 }], 'and nobody became an administrator')
  if (count >= 10_000) t.ok(megabytes.end <= megabytes.start * 1.2, `memory came back: ${megabytes.start} MB, then ${megabytes.end} MB`)
})
