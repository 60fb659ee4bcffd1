import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'node:http'
import { issueEmailChangeToken, issueResetToken } from '../src/core/tokens/action-token.ts'
import { findForCheck, findForSignIn } from '../src/core/users/store.ts'
import { openInside } from './inside.ts'
import { row, type Benchmark, type Row } from './measure.ts'
import { PASSWORD, startService } from './processes.ts'

// Fifty uses of one link at once over two nodes, two hundred times: exactly one may succeed. The same for fifty sign-ups with one address.
const AT_ONCE = 50
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })

type Answer = { status: number, code: string | null }

export const singleUse: Benchmark = async setting => {
  const rounds = setting.smoke ? 1 : setting.long ? 200 : 5
  // Each use comes from an address of its own: one may have eight hashes in the queue.
  const env = { TRUSTED_PROXIES: '127.0.0.1' }
  const nodes = [await startService(setting, { env }), await startService(setting, { env })]
  const ctx = await openInside(setting)
  const newAccount = async () => {
    const email = `${randomUUID()}@bench.example`
    await use(nodes[0]!.url, 0, '/v1/auth/register', { email, password: PASSWORD })
    return (await findForSignIn(ctx.db, email))!
  }

  const rows: Row[] = []
  const violations: string[] = []
  const race = async (name: string, prepare: (round: number) => Promise<{ path: string, body: (at: number) => object, won: number, lost: string, after: () => Promise<boolean> }>) => {
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      const { path, body, won, lost, after } = await prepare(round)
      const began = performance.now()
      const answers = await Promise.all(Array.from({ length: AT_ONCE }, async (_, at) => await use(nodes[at % 2]!.url, at, path, body(at))))
      times.push(performance.now() - began)
      const winners = answers.filter(({ status }) => status === won).length
      const losers = answers.filter(({ code }) => code === lost).length
      if (winners !== 1 || losers !== AT_ONCE - 1 || !await after()) violations.push(`${name}, round ${round}: ${winners} won, ${losers} lost`)
    }
    rows.push(row(`${name}: ${rounds} rounds of ${AT_ONCE} at once`, 'ms a round', times))
  }

  await race('password reset', async () => {
    const user = await newAccount()
    const token = issueResetToken(ctx, user, user.now)
    return {
      path: '/v1/password-reset/confirm', body: at => ({ token, new_password: `the pass phrase of tomorrow ${at}` }), won: 204, lost: 'token_used',
      after: async () => (await findForCheck(ctx.db, user.id))?.epoch === user.epoch + 1,
    }
  })
  await race('e-mail change', async round => {
    const user = await newAccount()
    const to = `changed-${round}@bench.example`
    const token = issueEmailChangeToken(ctx, { sub: user.id, old: user.email, new: to, ver: user.epoch }, user.now)
    return {
      path: '/v1/email-change/confirm', body: () => ({ token }), won: 204, lost: 'token_used',
      after: async () => { const now = await findForCheck(ctx.db, user.id); return now?.epoch === user.epoch + 1 && now.email === to },
    }
  })
  await race('sign-up with one address', async round => ({
    path: '/v1/auth/register', body: () => ({ email: `one-${round}@bench.example`, password: PASSWORD }), won: 201, lost: 'email_taken',
    after: async () => await findForSignIn(ctx.db, `one-${round}@bench.example`) !== null,
  }))
  if (violations.length > 0) throw new Error(`${violations.length} violations:\n${violations.join('\n')}`)
  return { name: 'single-use', rows, note: `3 × ${rounds} rounds of ${AT_ONCE} parallel uses over two nodes: 0 violations` }
}

/** A node whose queue of hashes is full says so and is asked again: that use was none. */
async function use (url: string, at: number, path: string, body: object): Promise<Answer> {
  for (;;) {
    const answer = await post(url, at, path, JSON.stringify(body))
    if (answer.status !== 503) return answer
    await sleep(200)
  }
}

async function post (url: string, at: number, path: string, body: string): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = request(url + path, { agent, method: 'POST', headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'x-forwarded-for': `192.0.2.${at}` } }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => { text += part }).on('end', () => {
        resolve({ status: answer.statusCode!, code: text.includes('"code"') ? (JSON.parse(text) as { code: string }).code : null })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
