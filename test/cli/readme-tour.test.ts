import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { freshDatabase } from '../helpers/database.ts'
import { startProcess } from '../helpers/processes.ts'

const run = promisify(execFile)

t.test('the tour in the README works as it is printed', async t => {
  const tour = /## A tour in twenty lines\s+```sh\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8'))![1]!
  const { url } = await startProcess(t, await freshDatabase(t))
  const script = tour.replace('U=http://localhost:3000', `U=${url}`)
  t.not(script, tour)
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script])
  t.match(stdout, /"email":"ada@example.com"/)
  t.match(stdout, /"amr":\["pwd"\]/, 'verify answered with the claims')
  t.match(stdout, /\nsame\n|\}same\n/, 'a refresh asked for again brought the same successor')
  t.match(stdout, /"code":"invalid_token"[^\n]*$/, 'after logout the token is refused')
})

t.test('the service of the README gets a token, asks about it and ends it, as it is printed', async t => {
  const readme = readFileSync('README.md', 'utf8')
  const pick = /^pick\(\) .*$/m.exec(readme)![0]
  const script = /## A service with a name of its own\s+```sh\n([\s\S]*?)```/.exec(readme)![1]!
  const database = await freshDatabase(t)
  const { url } = await startProcess(t, database)
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', `U=${url}\n${pick}\n${script}`], { env: { ...process.env, DATABASE_URL: database } })
  t.match(stdout, /^\{"active":true,"scope":"invoices:read introspect".*\}\{"active":false\}$/)
})
