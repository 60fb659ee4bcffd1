import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { databaseAccount } from '../../src/db/embedded/account.ts'
import { locateBinaries } from '../../src/db/embedded/binaries.ts'
import { freePort } from '../../src/db/embedded/start.ts'
import { sqlTo } from '../../test/helpers/database.ts'
import { temporaryFolder, type OwnPostgres } from '../../test/helpers/own-postgres.ts'
import { until } from '../../test/helpers/until.ts'
import type { Endings } from './endings.ts'

/** A hot standby made of a cold copy. From its return on `primary` acknowledges no commit that is not on the standby's disk. */
export async function startStandby (endings: Endings, primary: OwnPostgres): Promise<{ url: string, promote: () => Promise<void> }> {
  const [account, port] = [await databaseAccount(), await freePort()]
  const folder = await temporaryFolder(endings)
  const data = join(folder, 'data')
  await primary.stop('SIGINT')
  await promisify(execFile)('cp', ['-a', primary.data, data]) // with owners and modes
  const { port: primaryPort, username, password } = new URL(primary.url)
  await appendFile(join(data, 'postgresql.auto.conf'), `primary_conninfo = 'host=127.0.0.1 port=${primaryPort} user=${username} password=${password} application_name=standby'\n`)
  await writeFile(join(data, 'standby.signal'), '')
  if (account) await chown(join(data, 'standby.signal'), account.uid, account.gid)
  await primary.start()

  const { postgres } = await locateBinaries(account, folder)
  const child = spawn(postgres, ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    { cwd: '/', detached: true, stdio: 'ignore', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, ...account })
  endings.teardown(async () => {
    const ended = once(child, 'exit')
    if (child.exitCode === null && child.kill('SIGQUIT')) await ended
  })
  const url = Object.assign(new URL(primary.url), { port: String(port) }).href
  const [onPrimary, onStandby] = [await sqlTo(endings, primary.url), await sqlTo(endings, url)]
  await onPrimary('ALTER SYSTEM SET synchronous_standby_names = \'*\'')
  await onPrimary('SELECT pg_reload_conf()')
  await until(async () => (await onPrimary('SELECT 1 FROM pg_stat_replication WHERE state = \'streaming\' AND sync_state = \'sync\'')).length === 1, 20_000)
  return {
    url,
    promote: async () => {
      const [row] = await onStandby<{ promoted: boolean }>('SELECT pg_promote() AS promoted')
      if (!row?.promoted) throw new Error('the standby was not promoted')
    },
  }
}
