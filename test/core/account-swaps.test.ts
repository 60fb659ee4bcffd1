import t from 'tap'
import { changeEmail, deleteUser, findForCheck, setPassword } from '../../src/core/users/store.ts'
import { world } from '../helpers/world.ts'

const TABLES = 'SELECT (SELECT json_agg(u) FROM users u) AS users, (SELECT json_agg(c) FROM credential c) AS credentials, (SELECT count(*)::int FROM revocation) AS endings'

t.test('a change that was decided on something that is not so any more changes nothing, whichever part of it that is', async t => {
  const { ctx: { db }, signUp, sql } = await world(t)
  const { id } = await signUp()
  const seen = (await findForCheck(db, id))!
  const before = await sql(TABLES)
  const stale = { epoch: { epoch: 7 }, address: { email: 'other@mail.test' }, password: { passwordHash: 'x' }, 'no password': { passwordHash: null }, user: { id: '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f' } }
  for (const [what, other] of Object.entries(stale)) t.equal(await setPassword(db, { ...seen, ...other }, 'new'), null, `a password, seen with another ${what}`)
  for (const other of [{ epoch: 7 }, { old: 'other@mail.test' }]) t.equal(await changeEmail(db, { id, epoch: seen.epoch, old: seen.email, to: 'new@mail.test', ...other }), null)
  t.equal(await deleteUser(db, id, { epoch: 7 }), null)
  t.strictSame(await sql(TABLES), before)

  await sql('UPDATE users SET status = 2')
  t.equal(await setPassword(db, seen, 'new'), null, 'a disabled account')
  t.equal(await changeEmail(db, { id, epoch: seen.epoch, old: seen.email, to: 'new@mail.test' }), null)
  await sql('UPDATE users SET status = 1')
  t.match(await setPassword(db, seen, 'new'), { epoch: seen.epoch + 1 }, 'control: with what is so it happens')
  t.match(await deleteUser(db, id, { epoch: seen.epoch + 1 }), { epoch: seen.epoch + 2, email: seen.email })
})
