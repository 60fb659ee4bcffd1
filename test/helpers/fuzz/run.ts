import { randomBytes } from 'node:crypto'
import { connect, type AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import type { Test } from 'tap'
import { buildApp } from '../../../src/app.ts'
import { loadConfig } from '../../../src/config.ts'
import { openContext } from '../../../src/context.ts'
import type { KeyEncryptionKeys } from '../../../src/config-values.ts'
import { registerClient } from '../../../src/core/clients/register.ts'
import { COMMAND_LINE } from '../../../src/core/audit/events.ts'
import { issueVerificationToken } from '../../../src/core/tokens/action-token.ts'
import { createLog } from '../../../src/log.ts'
import { contractFault } from '../contract.ts'
import { freshDatabase, sqlTo } from '../database.ts'
import { PASSWORD, testEnvironment } from '../world.ts'
import { requests, type FuzzRequest } from './requests.ts'
import type { PLACEHOLDERS } from './values.ts'

type Answer = { statusCode: number, headers: Record<string, unknown>, body: string }
type Proofs = Record<typeof PLACEHOLDERS[number] | 'basic', string>
export type Outcome = { faults: string[], statuses: Record<string, number>, succeeded: Set<string>, megabytes: { start: number, end: number } }

const CHUNK = 500
const AT_ONCE = 8
const ANSWERS_WITHIN_MS = 8_000
/** What an answer must not tell: where our code is, what it asks the database, what it is made of (OWASP ASVS 13.4.6, 16.5.1). */
const LEAKS = /\n\s+at |node_modules|node:internal|\.(?:ts|js):\d|\bSELECT\b|\bINSERT INTO\b|\$queryRaw|prisma|postgres|\bpg_|fastify|SQLSTATE|violates|ECONN|\/(?:src|home|work)\//i
const collect = (() => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
})()

/** A node whose log and answers are not kept, so that what grows is the service. */
export async function fuzzed (t: Test) {
  const databaseUrl = await freshDatabase(t)
  const config = loadConfig({ ...testEnvironment(databaseUrl), ARGON2_MEMORY_KIB: '7168', ARGON2_PASSES: '5' }, () => '')
  const lines: string[] = []
  const log = createLog({ logLevel: 'warn' }, { write: line => { if (lines.push(line) > 50) lines.shift() } })
  const { ctx, close } = await openContext({ config, databaseUrl, keyEncryptionKey: config.keyEncryptionKey as KeyEncryptionKeys, log })
  const app = await buildApp(ctx)
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => { app.server.closeAllConnections(); await app.close(); await close() })
  const sql = await sqlTo(t, databaseUrl)
  const { port } = app.server.address() as AddressInfo

  const ask = async (method: string, url: string, body?: object, bearer?: string): Promise<any> => {
    const { statusCode, body: text } = await app.inject({ method: method as 'POST', url, ...(body && { payload: body }), headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` } })
    return { statusCode, ...(text.startsWith('{') && JSON.parse(text) as object) }
  }
  const account = async (scope: string) => {
    const email = `${randomBytes(6).toString('hex')}@example.com`
    const { user } = await patiently(async () => await ask('POST', '/v1/auth/register', { email, password: PASSWORD }))
    if (scope.includes('admin')) await sql('UPDATE users SET roles = \'{admin}\' WHERE id = $1', [user.id])
    const { access_token: access, refresh_token: refresh } = await patiently(async () => await ask('POST', '/v1/auth/login', { email, password: PASSWORD, refresh: 'body', scope }))
    return { id: user.id as string, email, access: access as string, refresh: refresh as string }
  }

  /** Fresh ones, because what is sent may end them. */
  const newProofs = async (): Promise<Proofs> => {
    const [user, admin] = [await account('account'), await account('account admin')]
    const { id, secret } = await registerClient(ctx, { name: 'fuzz', scope: 'things introspect' }, COMMAND_LINE)
    await ctx.clients.reload()
    const basic = Buffer.from(`${id}:${secret}`).toString('base64')
    const granted = await app.inject({ method: 'POST', url: '/oauth2/token', payload: 'grant_type=client_credentials', headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' } })
    return {
      access: user.access, refresh: user.refresh, user_id: user.id, email: user.email, admin: admin.access, admin_id: admin.id,
      service: granted.json().access_token, client_id: id, client_secret: secret!, basic,
      action: issueVerificationToken(ctx, user, ctx.clock.now() / 1000),
    }
  }
  const areGood = async (proofs: Proofs): Promise<boolean> =>
    (await ask('GET', '/v1/me', undefined, proofs.access)).statusCode === 200 && (await ask('GET', '/v1/admin/keys', undefined, proofs.admin)).statusCode === 200 && (await ask('GET', '/v1/auth/verify', undefined, proofs.service)).statusCode === 200

  const send = async ({ method, url, headers, payload, bytes }: FuzzRequest, onSocket: boolean): Promise<Answer> => {
    const body = payload === null ? undefined : bytes ? Buffer.from(payload, 'hex') : Buffer.from(payload)
    if (!onSocket) {
      try { return await app.inject({ method: method as 'GET', url, headers, ...(body && { payload: body }) }) } catch { /* what the injector cannot write goes over a socket */ }
    }
    return await overSocket(port, [`${method} ${url.replaceAll(/[\r\n ]/g, '')} HTTP/1.1`, 'Connection: close', ...headers['host'] === undefined ? ['Host: 127.0.0.1'] : [],
      ...Object.entries(headers).filter(([name]) => name !== 'content-length').map(([name, value]) => `${name}: ${value.replaceAll(/[\r\n]/g, '')}`), `Content-Length: ${body?.length ?? 0}`], body)
  }

  /** One after the other in chunks of a seed each, eight at a time. */
  async function run (count: number, seed: number): Promise<Outcome> {
    const faults = new Map<string, string>()
    const statuses: Record<string, number> = {}
    const succeeded = new Set<string>()
    const megabytes = { start: 0, end: 0 }
    let proofs = await newProofs()
    for (let done = 0; done < count; done += CHUNK) {
      const chunk = fc.sample(requests, { numRuns: Math.min(CHUNK, count - done), seed: seed + done })
      for (let at = 0; at < chunk.length; at += AT_ONCE) {
        if (at % 80 === 0 && !await areGood(proofs)) proofs = await newProofs()
        await Promise.all(chunk.slice(at, at + AT_ONCE).map(async (request, i) => {
          const sent = JSON.parse(JSON.stringify(request).replaceAll(/\{\{(\w+)\}\}/g, (whole, name: string) => proofs[name as keyof Proofs] ?? whole)) as FuzzRequest
          const answer = await within(send(sent, (at + i) % 15 === 0))
          const fault = faultOf(sent, answer)
          statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1
          if (answer.statusCode < 300) succeeded.add(request.operation)
          const name = fault && `${request.operation} ${request.method}: ${fault}`
          if (name && !faults.has(name)) faults.set(name, `${name}\n  seed ${seed + done}: ${JSON.stringify(request).slice(0, 1_500)}${answer.statusCode === 500 ? `\n  ${lines.findLast(line => line.includes('request failed'))?.slice(0, 1_500)}` : ''}`)
        }))
      }
      // The first chunk has filled what fills once: compiled code, pools, caches.
      if (done === 0) megabytes.start = await settledMegabytes()
    }
    megabytes.end = await settledMegabytes()
    return { faults: [...faults.values()], statuses, succeeded, megabytes }
  }

  return { run, ask, account, sql }
}

/** A busy machine may say 503: then as a client should. */
async function patiently (attempt: () => Promise<any>): Promise<any> {
  for (let left = 10; ; left--) {
    const answer = await attempt()
    if (answer.statusCode < 300) return answer
    if (answer.statusCode !== 503 || left === 0) throw new Error(`a good request was answered ${JSON.stringify(answer)}`)
    await new Promise(resolve => setTimeout(resolve, 1_000))
  }
}

async function settledMegabytes (): Promise<number> {
  for (let i = 0; i < 3; i++) { collect(); await new Promise(resolve => setTimeout(resolve, 100)) }
  const { heapUsed, external } = process.memoryUsage()
  return Math.round((heapUsed + external) / 1e5) / 10
}

const NO_ANSWER: Answer = { statusCode: 0, headers: {}, body: '' }
const within = async (answer: Promise<Answer>): Promise<Answer> => {
  const timer = Promise.withResolvers<Answer>()
  const handle = setTimeout(() => timer.resolve(NO_ANSWER), ANSWERS_WITHIN_MS)
  try { return await Promise.race([answer, timer.promise]) } finally { clearTimeout(handle) }
}

/** What is wrong with an answer, whatever was asked. */
function faultOf ({ method, url }: FuzzRequest, answer: Answer): string | null {
  const { statusCode, headers, body } = answer
  if (!(statusCode >= 200)) return 'no answer'
  if (statusCode >= 500 && statusCode !== 503) return `${statusCode}`
  if ([429, 503].includes(statusCode) && headers['retry-after'] === undefined) return `${statusCode} without Retry-After`
  for (const name of ['server', 'x-powered-by', 'via']) if (headers[name] !== undefined) return `a banner: ${name}`
  if (Object.values(headers).some(value => LEAKS.test(String(value)))) return 'a header tells what the service is made of'
  if (statusCode >= 400 && LEAKS.test(body)) return `${statusCode} tells what the service is made of: ${body.slice(0, 300)}`
  if (statusCode >= 400 && method !== 'HEAD' && !isErrorBody(statusCode, body)) return `${statusCode} is no documented error: ${body.slice(0, 300)}`
  // Node.js gives up before there is a route; and a raw path may say more than the router sees.
  // So does whoever resolves dots: the path is another one then.
  return statusCode !== 431 && !/\/(\.|%2e){1,2}([/?]|$)/i.test(url) && /^\/[\w./{}?=&%~-]*$/.test(url) ? contractFault(method, url, answer) : null
}

function isErrorBody (statusCode: number, body: string): boolean {
  try {
    const { status, code, request_id: id, title, type, error, error_description: description } = JSON.parse(body)
    return typeof error === 'string' ? typeof description === 'string' : status === statusCode && typeof code === 'string' && typeof id === 'string' && typeof title === 'string' && typeof type === 'string'
  } catch { return false }
}

async function overSocket (port: number, lines: string[], body: Buffer | undefined): Promise<Answer> {
  return await new Promise(resolve => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    socket.on('data', chunk => { chunks.push(chunk) }).on('error', () => {}).setTimeout(ANSWERS_WITHIN_MS, () => { socket.destroy() })
    socket.on('close', () => {
      const [head = '', ...rest] = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n')
      const [status = '', ...fields] = head.split('\r\n')
      resolve({
        statusCode: Number(status.split(' ')[1] ?? 0),
        headers: Object.fromEntries(fields.map(field => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()])),
        body: Buffer.from(rest.join('\r\n\r\n'), 'latin1').toString(),
      })
    })
    socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body ?? Buffer.alloc(0)]))
  })
}
