import { randomBytes } from 'node:crypto'
import t from 'tap'
import { installJobs } from '../../src/core/jobs/install.ts'
import { jobsAreInstalled } from '../../src/core/jobs/installed.ts'
import { migrateDatabase } from '../../src/prepare-database.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { silent } from '../helpers/open.ts'

const QUEUES = 'SELECT name FROM pgboss.queue WHERE name !~ \'^__\' ORDER BY 1'

t.test('what this build has installed is seen without asking the library', async t => {
  t.equal(await jobsAreInstalled(await freshDatabase(t, { empty: true })), false, 'not on an empty database')
  t.equal(await jobsAreInstalled(await freshDatabase(t)), true)
})

t.test('queues that another release has made are renewed at the start', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const queues = await sql(QUEUES)
  await sql('UPDATE pgboss.queue SET retry_limit = 99 WHERE name = \'email\'')
  await sql('COMMENT ON SCHEMA pgboss IS \'stateless-auth of another time\'')
  await migrateDatabase(url, silent)
  t.strictSame(await sql(QUEUES), queues)
  t.equal(await jobsAreInstalled(url), true)
})

t.test('a node that dies while it installs has not said that it did', async t => {
  const url = await freshDatabase(t, { empty: true })
  const sql = await sqlTo(t, url)
  // The last thing that is made, so all before it is there.
  await sql('CREATE FUNCTION die() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF tg_tag = \'COMMENT\' THEN RAISE \'died\'; END IF; END $$')
  await sql('CREATE EVENT TRIGGER die ON ddl_command_start WHEN TAG IN (\'COMMENT\') EXECUTE FUNCTION die()')
  await t.rejects(installJobs(url), /died/)
  t.equal(await jobsAreInstalled(url), false)
  await sql('DROP EVENT TRIGGER die')
  await migrateDatabase(url, silent)
  t.equal(await jobsAreInstalled(url), true)
})

t.test('a role that may use the jobs and not own them starts all the same, and leaves the mark as it is', async t => {
  const url = await freshDatabase(t)
  const sql = await sqlTo(t, url)
  const role = `tenant_${randomBytes(6).toString('hex')}`
  await sql(`CREATE ROLE ${role} LOGIN PASSWORD 'p'`)
  t.teardown(async () => { await sql(`DROP OWNED BY ${role}`); await sql(`DROP ROLE ${role}`) })
  await sql(`GRANT USAGE ON SCHEMA pgboss TO ${role}; GRANT ALL ON ALL TABLES IN SCHEMA pgboss TO ${role}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgboss TO ${role}`)
  await sql('COMMENT ON SCHEMA pgboss IS \'stateless-auth of another time\'')
  const asRole = Object.assign(new URL(url), { username: role, password: 'p' }).href
  await installJobs(asRole)
  t.strictSame(await sql('SELECT obj_description(to_regnamespace(\'pgboss\'), \'pg_namespace\') AS mark'), [{ mark: 'stateless-auth of another time' }])
  t.equal(await jobsAreInstalled(asRole), false)
})
