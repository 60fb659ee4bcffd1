// npm run bundle && node bench/profile.ts: flame graphs of verify, refresh and sign-in into bench/profiles/. Not judged, and by hand: profiling costs what it measures.
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import { startEmbedded } from '../src/db/embedded/start.ts'
import { flameGraph, type Profile } from './flame.ts'
import { accounts, PASSWORD, signIns, startService, verifications } from './processes.ts'

const SECONDS = 10
const folder = await mkdtemp(join(tmpdir(), 'profile-'))
await chmod(folder, 0o755)
const database = await startEmbedded(folder)
const endings: (() => unknown)[] = []
const setting = { databaseUrl: database.url, teardown: (work: () => unknown) => { endings.push(work) } }
const json = { 'content-type': 'application/json' }
type Requests = autocannon.Request[]
const operations: Record<string, (url: string) => Promise<Requests>> = {
  verify: async url => verifications(await signIns(url, 20)),
  // Within the grace the same token has the same successor, by the same statement.
  refresh: async url => (await signIns(url, 20)).map(({ refresh_token }) => ({ method: 'POST', path: '/v1/auth/refresh', headers: json, body: JSON.stringify({ refresh_token }) })),
  'sign-in': async url => (await accounts(url, database.url, 200)).map(email => ({ method: 'POST', path: '/v1/auth/login', headers: json, body: JSON.stringify({ email, password: PASSWORD, refresh: 'body' }) })),
}
try {
  for (const [name, prepare] of Object.entries(operations)) {
    const profiles = join(folder, name)
    const began = performance.now()
    const service = await startService(setting, { env: { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` } })
    const requests = await prepare(service.url)
    // Until the compiler is done with it, it is not what it will be.
    await autocannon({ url: service.url, requests, connections: 4, duration: 3 })
    const from = (performance.now() - began) / 1000
    const { '2xx': answered, non2xx } = await autocannon({ url: service.url, requests, connections: 4, duration: SECONDS })
    await service.stop()
    const [file] = await readdir(profiles)
    const profile = JSON.parse(await readFile(join(profiles, file!), 'utf8')) as Profile
    await writeFile(`bench/profiles/${name}.svg`, flameGraph(profile, { title: `${name}: the event loop's time without idling, ${answered} answers, ${non2xx} refused`, from }))
  }
} finally {
  for (const end of endings.toReversed()) await end()
  await database.stop()
  for (const path of [folder, database.folder]) await rm(path, { recursive: true, force: true })
}
