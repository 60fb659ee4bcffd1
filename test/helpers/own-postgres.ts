import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../../src/db/embedded/start.ts'
import { findPostmaster } from '../../src/db/embedded/postmaster.ts'
import { until } from './until.ts'

type Teardown = { teardown: (work: () => unknown) => void }

/** A folder of this test's own, which the account that runs PostgreSQL may enter too. */
export async function temporaryFolder (t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stateless-auth-test-'))
  await chmod(folder, 0o755)
  t.teardown(async () => await rm(folder, { recursive: true, force: true }))
  return folder
}

export type OwnPostgres = {
  url: string
  /** The data folder. */
  data: string
  stop: (signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL') => Promise<void>
  start: () => Promise<void>
}

/** A PostgreSQL that this test may stop: SIGINT as an operator does, SIGQUIT as a crash, SIGKILL as a machine that is gone. It starts again on the same port. */
export async function ownPostgres (t: Teardown): Promise<OwnPostgres> {
  const folder = await temporaryFolder(t)
  let server = await startEmbedded(folder)
  const { url } = server
  t.teardown(async () => await server.stop())
  return {
    url,
    data: join(server.folder, 'data'),
    stop: async signal => {
      process.kill(server.pid, signal)
      await until(async () => await findPostmaster(join(server.folder, 'data')) === null, 10_000)
      await server.stop()
    },
    // The last -p counts.
    start: async () => { server = await startEmbedded(folder, ['-p', new URL(url).port]) },
  }
}
