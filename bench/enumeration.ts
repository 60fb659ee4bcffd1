import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { byItself, type Judged } from './judge.ts'
import { row, type Benchmark, type Row } from './measure.ts'
import { PASSWORD, startService } from './processes.ts'

// Does the time of an answer tell whether an address has an account? One request at a time, the classes in turn, over HTTP against a server
// process as in production. A classifier with the time alone gets an AUC of 0.5 by guessing.
const GOALS = { medians: { atMost: 5 }, auc: { atMost: 0.55 } }
const WRONG = 'a wrong pass phrase, every time'

type Classes = Record<string, () => { path: string, body: object }>

export const enumeration: Benchmark = async setting => {
  const [samples, warmUp] = setting.smoke ? [5, 1] : [setting.long ? 1_000 : 100, 20]
  const service = await startService(setting, { env: { REQUIRE_VERIFIED_EMAIL: 'true', MAIL_URL: 'smtp://127.0.0.1:1' } })
  const db = new pg.Client({ connectionString: setting.databaseUrl })
  await db.connect()
  setting.teardown(async () => await db.end())

  /** One address is mailed three times an hour at most, and one account guessed at ten times at once: each sample has its own. */
  const fresh = () => `${randomBytes(8).toString('hex')}@bench.example`
  const { rows: [made] } = await db.query<{ ids: string[] }>('SELECT array_agg(gen_random_uuid()) AS ids FROM generate_series(1, $1)', [4 * (samples + warmUp)])
  const emails = made!.ids.map(fresh)
  await db.query('INSERT INTO users (id, email, email_verified_at, status) SELECT id, email, now(), 1 FROM unnest($1::uuid[], $2::text[]) u(id, email)', [made!.ids, emails])
  await db.query('INSERT INTO credential (user_id, password_hash) SELECT id, $2 FROM unnest($1::uuid[]) u(id)', [made!.ids, await hashOf(service.url, db)])
  const pool = (from: number) => { let at = from * (samples + warmUp); return () => emails[at++]! }
  const [forSignUp, forReset, forWrong, forDisabled] = [pool(0), pool(1), pool(2), pool(3)]
  await db.query('UPDATE users SET status = 2 WHERE email = ANY($1)', [emails.slice(3 * (samples + warmUp))])

  const signUp = (email: string) => ({ path: '/v1/auth/register', body: { email, password: PASSWORD } })
  const reset = (email: string) => ({ path: '/v1/password-reset', body: { email } })
  const signIn = (email: string) => ({ path: '/v1/auth/login', body: { email, password: WRONG } })
  const comparisons: Record<string, Classes> = {
    'sign-up': { unknown: () => signUp(fresh()), known: () => signUp(forSignUp()) },
    'password reset': { unknown: () => reset(fresh()), known: () => reset(forReset()) },
    'sign-in': { unknown: () => signIn(fresh()), wrong: () => signIn(forWrong()), disabled: () => signIn(forDisabled()) },
  }

  const rows: Row[] = []
  const judged: Judged[] = []
  for (const [name, classes] of Object.entries(comparisons)) {
    const times = await interleaved(service.url, classes, samples, warmUp)
    for (const [label, its] of Object.entries(times)) rows.push(row(`${name}: ${label}`, 'ms', its))
    const [[reference, first], ...others] = Object.entries(times) as [[string, number[]], ...[string, number[]][]]
    for (const [label, its] of others) {
      judged.push(byItself(`${name}: |Δ median| ${reference}, ${label}`, GOALS.medians, 'ms', [Math.abs(median(its) - median(first))]))
      // Of few samples it is 0.55 by chance.
      if (setting.long) judged.push(byItself(`${name}: AUC ${reference}, ${label}`, GOALS.auc, '', [auc(first, its)]))
    }
  }
  return { name: 'enumeration', rows, judged, note: `${samples} samples a class` }
}

/** The hash of one account that the service itself made: all accounts here have the parameters in use. */
async function hashOf (url: string, db: pg.Client): Promise<string> {
  await ask(url, { path: '/v1/auth/register', body: { email: 'first@bench.example', password: PASSWORD } })
  const { rows: [row] } = await db.query<{ password_hash: string }>("SELECT password_hash FROM credential JOIN users ON id = user_id WHERE email = 'first@bench.example'")
  return row!.password_hash
}

/** In turn, each round in another order, so that what the machine does meanwhile falls on all classes alike. */
async function interleaved (url: string, classes: Classes, samples: number, warmUp: number): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(classes).map(name => [name, []]))
  const answers = new Set<string>()
  for (let round = -warmUp; round < samples; round++) {
    const order = Object.keys(classes).map(name => ({ name, at: Math.random() })).sort((a, b) => a.at - b.at)
    for (const { name } of order) {
      const { ms, answer } = await ask(url, classes[name]!())
      answers.add(answer)
      if (round >= 0) times[name]!.push(ms)
    }
  }
  if (answers.size !== 1) throw new Error(`the answers differ: ${[...answers].join(' | ')}`)
  return times
}

async function ask (url: string, { path, body }: { path: string, body: object }): Promise<{ ms: number, answer: string }> {
  const payload = JSON.stringify(body)
  const began = performance.now()
  const answer = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: payload })
  const text = await answer.text()
  const ms = performance.now() - began
  if (answer.status === 429 || answer.status >= 500) throw new Error(`${path} answered ${answer.status} ${text}`)
  return { ms, answer: `${answer.status} ${text.replace(/"request_id":"[^"]+"/, '')}` }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

/** The chance that a time of one class is above one of the other (Mann-Whitney), whichever way a classifier would use it. */
function auc (one: readonly number[], other: readonly number[]): number {
  const all = [...one.map(ms => ({ ms, other: false })), ...other.map(ms => ({ ms, other: true }))].sort((a, b) => a.ms - b.ms)
  const ranks = all.reduce((sum, entry, at) => entry.other ? sum + at + 1 : sum, 0)
  const area = (ranks - other.length * (other.length + 1) / 2) / (one.length * other.length)
  return Math.max(area, 1 - area)
}
