import t from 'tap'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { startProcess } from '../helpers/processes.ts'
import { languages, prepare, start } from './support/language.ts'

// What docs/clients.md tells a reader to do, done: generated from openapi.yaml, compiled, and run against one live service. A
// toolchain that is missing fails.
const databaseUrl = await freshDatabase(t)
const service = await startProcess(t, databaseUrl)
const sql = await sqlTo(t, databaseUrl)

/** A problem arrives as one, by its code; everything else as what the contract calls it. */
const SAID = `weak password: weak_password
signed up: Ada
wrong password: invalid_credentials
signed in: Ada
me: Ada true
refreshed: true
signed out
refresh: session_ended`

t.jobs = 2
// The slowest stand last on the page, and begin first.
await Promise.all(languages().reverse().map(async language => {
  await t.test(`a client generated for ${language.title} compiles, signs up, in and out, and reads problems as problems`, { buffered: true }, async t => {
    const { folder, seconds } = await prepare(language)
    t.comment(`generated and compiled in ${seconds} s`)
    t.equal(await start(language, folder, service.url).then(said => said.trimEnd()), SAID)
  })
}))

t.test('what they said happened at the service', async t => {
  const count = languages().length
  t.equal(count, 5)
  const events = await sql<{ type: string, count: number }>('SELECT type, count(*)::int AS count FROM audit_event GROUP BY type ORDER BY type')
  t.strictSame(events, ['account.created', 'session.ended', 'session.refused', 'session.started'].map(type => ({ type, count })))
})
