import { randomBytes } from 'node:crypto'
import t from 'tap'
import { freshDatabase } from '../helpers/database.ts'
import { openMailbox } from '../helpers/mailbox.ts'
import { openReceiver, type Span } from '../helpers/otlp.ts'
import { send, startProcess, type NodeProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { logged } from '../helpers/workers.ts'

/** So that nobody waits for what is sent each second. */
const SOON = { OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_BLRP_SCHEDULE_DELAY: '50' }
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const traceparent = (flags = '01') => ({ traceparent: `00-${TRACE}-b7ad6b7169203331-${flags}`, tracestate: 'vendor=canary-state', baggage: 'who=canary-baggage' })
const seen = `import { registerHooks } from "node:module"
registerHooks({ resolve (specifier, context, next) { const found = next(specifier, context); console.error("resolved " + found.url); return found } })`
const preload = `data:text/javascript,${encodeURIComponent(seen)}`
const telemetryOf = ({ lines }: NodeProcess): string[] => lines.filter(line => line.startsWith('resolved ') && /@opentelemetry|src\/telemetry/.test(line))

t.test('traces follow the caller\'s: routes, hashes, statements and mail, and no address, secret or token in any of it', async t => {
  const [receiver, mailbox] = [await openReceiver(t), await openMailbox(t)]
  const email = `canary-${randomBytes(6).toString('hex')}@example.com`
  const [password, next] = ['canary pass phrase of somebody', 'another canary pass phrase']
  const node = await startProcess(t, await freshDatabase(t), {
    env: { ...SOON, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=receivers-secret', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test', MAIL_URL: mailbox.url, TRUSTED_PROXIES: '127.0.0.1' },
  })
  const headers = { ...traceparent(), 'user-agent': 'canary-agent', 'x-forwarded-for': '203.0.113.77' }
  await send(node.url, 'POST', '/v1/auth/register', { body: { email, password }, headers })
  const { link, token } = await mailbox.next(email)
  const { json: first } = await send(node.url, 'POST', '/v1/auth/login', { body: { email, password, refresh: 'body' }, headers })
  const { json: second } = await send(node.url, 'POST', '/v1/auth/refresh', { body: { refresh_token: first.refresh_token }, headers })
  await send(node.url, 'GET', `/v1/auth/verify?access_token=${second.access_token}`, { bearer: second.access_token, headers })
  await send(node.url, 'POST', '/v1/me/password', { body: { current_password: password, new_password: next }, bearer: second.access_token, headers })
  await send(node.url, 'POST', '/v1/auth/login', { body: { email, password: `${password} wrong` }, headers })
  await send(node.url, 'POST', '/v1/auth/login', { body: { email: `${email}\u0000` }, headers })
  await send(node.url, 'GET', '/readyz', { headers })
  await send(node.url, 'GET', `/v1/me/sessions/${email}`, { headers })
  t.equal(await node.stop(), 0)

  const { spans } = receiver
  const [login] = spans.filter(({ name }) => name === 'POST /v1/auth/login')
  t.match(login, { traceId: TRACE, parentId: 'b7ad6b7169203331', kind: 2, status: 0, attributes: { 'http.request.method': 'POST', 'http.route': '/v1/auth/login', 'http.response.status_code': 200 }, resource: { 'service.name': 'stateless-auth', 'deployment.environment.name': 'test' } })
  const below = ({ spanId }: Span): Span[] => spans.filter(({ parentId }) => parentId === spanId)
  const names = below(login!).map(({ name }) => name)
  for (const name of ['verify password', 'SELECT users SELECT credential']) t.ok(names.includes(name), `${name} is below it`, { names })
  t.match(below(login!).find(({ name }) => name.startsWith('SELECT users')), { kind: 3, attributes: { 'db.system.name': 'postgresql', 'db.query.summary': 'SELECT users SELECT credential' } })
  t.match(spans.find(({ name, attributes }) => name === 'POST /v1/auth/login' && attributes['http.response.status_code'] === 401), { attributes: { 'error.type': 'invalid_credentials' }, status: 0 })
  const mail = spans.find(({ name }) => name === 'mail verify_email')!
  t.not(mail.traceId, TRACE, 'a job is nobody\'s request')
  t.match(below(mail).map(({ name }) => name), ['SELECT users SELECT credential', 'send mail'])
  t.ok(spans.some(({ name }) => name === 'GET /v1/auth/verify'))
  t.notOk(spans.some(({ name }) => name.includes('readyz')), 'probes are not traced')
  t.equal(new Set(spans.filter(({ parentId }) => parentId === '').map(({ name }) => name.split(' ')[0])).size, 1, 'nothing but jobs begins a trace here')

  const record = receiver.logs.find(({ body, attributes }) => body === 'request' && attributes['route'] === '/v1/auth/login')
  t.match(record, { severity: 'info', traceId: TRACE, spanId: login!.spanId, attributes: { method: 'POST', status: 200 } })
  t.match(logged(node).find(({ msg, route }) => msg === 'request' && route === '/v1/auth/login'), { trace_id: TRACE, span_id: login!.spanId })
  t.equal(receiver.headers[0]!['x-api-key'], 'receivers-secret')

  const told = Buffer.concat(receiver.bodies).toString('latin1')
  const secrets = { email, password, next, token, link, access: second.access_token, refresh: second.refresh_token, part: second.access_token.split('.')[1]!, hash: '$argon2', state: 'canary-state', baggage: 'canary-baggage', key: 'receivers-secret', database: 'postgres://' }
  for (const [what, secret] of Object.entries(secrets)) t.notOk(told.includes(secret), what)
  t.notMatch(JSON.stringify(spans), /canary|@example|203\.0\.113|127\.0\.0\.1|access_token|\$1|WHERE/, 'of who asked a trace says nothing')
  t.notMatch(node.lines.join('\n'), /telemetry could not be exported/)
})

t.test('where nobody asked for it nothing of it is loaded; a trace of a caller changes nothing', async t => {
  const databaseUrl = await freshDatabase(t)
  for (const env of [{ OTEL_SERVICE_NAME: 'auth' }, { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }]) {
    const node = await startProcess(t, databaseUrl, { preload, env })
    t.equal((await send(node.url, 'GET', '/v1/auth/verify', { headers: traceparent() })).status, 401)
    // pg-boss brings its API, and is told to leave it alone (core/jobs).
    t.strictSame(telemetryOf(node).filter(line => !/@opentelemetry\/api\//.test(line)), [], JSON.stringify(env))
    t.notMatch(logged(node).find(({ msg }) => msg === 'request'), { trace_id: TRACE })
    await node.stop()
  }
  const asked = await startProcess(t, databaseUrl, { preload, env: { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: (await openReceiver(t)).url } })
  t.ok(telemetryOf(asked).length > 20, 'this way it would have been seen')
})

t.test('a receiver that hangs or is not there costs nobody a request, nor the end of the process', async t => {
  const databaseUrl = await freshDatabase(t)
  const receivers = { hangs: (await openReceiver(t, () => {})).url, 'is not there': 'http://127.0.0.1:9' }
  // As many records as fit into the queue many times over.
  const env = { ...SOON, OTEL_BSP_MAX_QUEUE_SIZE: '20', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10', OTEL_BLRP_MAX_QUEUE_SIZE: '20', OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '10', OTEL_EXPORTER_OTLP_TIMEOUT: '400', OTEL_BSP_EXPORT_TIMEOUT: '500' }
  await Promise.all(Object.entries(receivers).map(async ([how, url]) => {
    const node = await startProcess(t, databaseUrl, { env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: url } })
    let slowest = 0
    for (let n = 0; n < 60; n++) {
      const began = performance.now()
      const { status } = await send(node.url, 'GET', '/v1/auth/verify', { bearer: 'nonsense' })
      slowest = Math.max(slowest, performance.now() - began)
      if (status !== 401) t.fail(`${how}: ${status}`)
    }
    t.ok(slowest < 1_000, `${how}: the slowest took ${Math.round(slowest)} ms`)
    await until(() => node.lines.some(line => line.includes('telemetry could not be exported')), 10_000)
    const began = performance.now()
    t.equal(await node.stop(), 0)
    t.ok(performance.now() - began < 6_000, `${how}: it ended after ${Math.round(performance.now() - began)} ms`)
    t.ok(node.lines.filter(line => line.includes('telemetry could not be exported')).length === 1, 'said once')
  }))
})

t.test('a receiver that is away holds no process that ends', async t => {
  const node = await startProcess(t, await freshDatabase(t), { env: { ...SOON, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', DRAIN_SECONDS: '0', WORKERS: '2' } })
  for (let n = 0; n < 5; n++) await send(node.url, 'GET', '/v1/me')
  const began = performance.now()
  t.equal(await node.stop(), 0)
  t.ok(performance.now() - began < 9_500, 'within what a platform waits')
})
