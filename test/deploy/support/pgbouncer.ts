import { writeFileSync } from 'node:fs'
import type { Test } from 'tap'
import { freePort } from '../../../src/db/embedded/start.ts'
import { requireInstalled, run, scratch, type Running } from '../../gateways/support/gateway.ts'

const program = requireInstalled('/usr/sbin/pgbouncer', 'pgbouncer')

export type Pooler = { url: string, start: () => Promise<Running> }

/** PgBouncer with this configuration, but for addresses and for how many connections it may have: so few that clients get another one all the time. */
export async function pooler (t: Test, databaseUrl: string, configuration: string, { connections = 4 } = {}): Promise<Pooler> {
  const folder = scratch(t)
  const port = await freePort()
  const { hostname, port: serverPort, username, password, pathname } = new URL(databaseUrl)
  writeFileSync(`${folder}/userlist.txt`, `"${username}" "${decodeURIComponent(password)}"\n`)
  let here = configuration
  for (const [theirs, ours] of [
    ['host=postgres port=5432 dbname=stateless_auth', `host=${hostname} port=${serverPort} dbname=${pathname.slice(1)}`],
    ['listen_addr = 0.0.0.0', 'listen_addr = 127.0.0.1'],
    ['listen_port = 6432', `listen_port = ${port}`],
    ['auth_file = /etc/pgbouncer/userlist.txt', `auth_file = ${folder}/userlist.txt`],
    ['default_pool_size = 20', `default_pool_size = ${connections}`],
  ] as const) {
    if (!here.includes(theirs)) throw new Error(`the configuration says nothing of «${theirs}»`)
    here = here.replace(theirs, ours)
  }
  writeFileSync(`${folder}/pgbouncer.ini`, here)
  // It refuses to be root.
  const account = process.getuid!() === 0 ? ['-u', 'nobody'] : []
  return {
    url: `postgresql://${username}:${password}@127.0.0.1:${port}/stateless_auth`,
    start: async () => await run(t, program, [...account, `${folder}/pgbouncer.ini`], { port }),
  }
}
