import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import t from 'tap'
import { ConfigError, loadConfig, printableConfig, variables } from '../src/config.ts'

const kek = (id = 'k') => `${id}:${randomBytes(32).toString('base64')}`
const PRODUCTION = { NODE_ENV: 'production', DATABASE_URL: 'postgresql://u:p@db/app', PUBLIC_URL: 'https://auth.example.com', KEY_ENCRYPTION_KEY: kek(), MAIL_URL: 'smtp://u:p@mail' }

const load = (env: Record<string, string>, files: Record<string, string> = {}) => loadConfig(env, path => {
  if (!Object.hasOwn(files, path)) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
  return files[path]!
})
function faults (env: Record<string, string>, files?: Record<string, string>): readonly string[] {
  try { load(env, files) } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

t.test('nothing set is a development start with its relaxations named', async t => {
  const config = load({})
  t.match(config, { production: false, publicUrl: 'http://localhost:3000', tokenAudience: 'http://localhost:3000', port: 3000, requireVerifiedEmail: false, docs: true, drainSeconds: 0 })
  t.strictSame(config.relaxations, ['embedded PostgreSQL', 'generated key-encryption key', 'mail is printed, not sent', 'e-mail addresses are not verified'])
  t.throws(() => { (config as { port: number }).port = 1 }, 'and nobody changes it afterwards')
})

t.test('production with all it needs starts without any relaxation', async t => {
  const config = load(PRODUCTION)
  t.match(config, { production: true, docs: false, requireVerifiedEmail: true, drainSeconds: 3, tokenAudience: 'https://auth.example.com' })
  t.strictSame(config.relaxations, [])
  t.equal(config.keyEncryptionKey!.size, 1)
})

t.test('production says all that is missing at once', async t => {
  const found = faults({ NODE_ENV: 'production' })
  t.equal(found.length, 4)
  for (const name of ['DATABASE_URL', 'KEY_ENCRYPTION_KEY', 'PUBLIC_URL', 'MAIL_URL']) t.ok(found.some(fault => fault.startsWith(name)), name)
  t.strictSame(faults({ ...PRODUCTION, PUBLIC_URL: 'http://auth.example.com' }), ['PUBLIC_URL must be https in production'])
  for (const url of ['http://localhost.evil.example', 'http://127.0.0.1.evil.example']) t.strictSame(faults({ ...PRODUCTION, PUBLIC_URL: url }), ['PUBLIC_URL must be https in production'], url)
  t.strictSame(faults({ ...PRODUCTION, PUBLIC_URL: 'http://localhost:3000' }), [], 'a try-out on one machine')
})

t.test('every fault is reported in one go, each with its variable, and none shows a secret', async t => {
  const env = { DATABASE_URL: 'mysql://u:hunter2@x/y', PORT: '99999', DOCS: 'yes', SIGNING_ALG: 'none', CORS_ORIGINS: 'https://a.example,*', ACCESS_TOKEN_TTL_SECONDS: '10m', KEY_ENCRYPTION_KEY: 'hunter2' }
  const found = faults(env)
  t.strictSame(found.map(fault => fault.split(' ')[0]).sort(), Object.keys(env).sort())
  t.notMatch(new ConfigError(found).message, 'hunter2')
  t.match(new ConfigError(found).message, '7 faults')
})

t.test('values outside their range, or written in another way than documented, are refused', async t => {
  const bad: [string, string[]][] = [
    ['PORT', ['-1', '65536', '3000 ', '0x10', '1e3', '٣']],
    ['HOST', ['a\nb', 'x'.repeat(256)]],
    ['ACCESS_TOKEN_TTL_SECONDS', ['59', '3601', '600.5']],
    ['PUBLIC_URL', ['https://a.example/', 'ftp://a.example', 'a.example', 'https://a.example?x=1', 'https://a.example#x', 'https://u@a.example', 'HTTPS://a.example', 'https://a.example:443']],
    ['CORS_ORIGINS', ['*', 'null', 'https://a.example/', 'https://a.example/x', 'a.example', 'https://A.example', 'https://*.example']],
    ['TRUSTED_PROXIES', ['proxy', '*', 'true', '1', '10.0.0.0/33', '10.0.0.0/0', '::1/129', '10.0.0.0/8/8', '10.0.0.0/', '300.1.1.1']],
    ['SIGNING_ALG', ['es256', 'HS256', 'none']],
    ['DOCS', ['1', 'TRUE', 'on']],
    ['DRAIN_SECONDS', ['9', '-1']],
    ['WORKERS', ['0', '257', 'all', 'AUTO', '1.5', '-1']],
    ['METRICS_PORT', ['65536', '-1', 'off']],
  ]
  for (const [name, values] of bad) for (const value of values) t.match(faults({ [name]: value }), [new RegExp(`^${name} must`)], `${name}=${JSON.stringify(value)}`)
})

t.test('workers are a number, or as many as cores', async t => {
  t.equal(load({}).workers, 1)
  t.equal(load({ WORKERS: '4' }).workers, 4)
  t.equal(load({ WORKERS: 'auto' }).workers, availableParallelism())
})

t.test('proxies may be addresses, ranges and the names that the proxy library knows', async t => {
  t.strictSame(load({ TRUSTED_PROXIES: '10.0.0.0/8, ::1,fd00::/8,loopback' }).trustedProxies, ['10.0.0.0/8', '::1', 'fd00::/8', 'loopback'])
})

t.test('OpenTelemetry\'s variables are let through, decide what is on, and stop the start where they could not work', async t => {
  const otel = (env: Record<string, string>) => load(env).otel
  t.strictSame(otel({}), { traces: false, logs: false })
  t.strictSame(otel({ OTEL_SERVICE_NAME: 'auth', OTEL_RESOURCE_ATTRIBUTES: 'a=b', OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_PROPAGATORS: 'tracecontext', OTEL_DOCS: 'x' }), { traces: false, logs: false })
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }
  t.strictSame(otel(endpoint), { traces: true, logs: true })
  t.strictSame(otel({ ...endpoint, OTEL_LOGS_EXPORTER: 'none' }), { traces: true, logs: false })
  t.strictSame(otel({ OTEL_TRACES_EXPORTER: 'otlp' }), { traces: true, logs: false })
  t.strictSame(otel({ OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'https://logs/v1/logs' }), { traces: false, logs: true })
  t.strictSame(otel({ ...endpoint, OTEL_SDK_DISABLED: 'TRUE' }), { traces: false, logs: false })
  t.strictSame(faults({ OTEL_TRACES_EXPORTER: 'jaeger' }), ['OTEL_TRACES_EXPORTER must be otlp or none'])
  t.strictSame(faults({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }), ['OTEL_EXPORTER_OTLP_ENDPOINT must be a URL of http or https'])
  t.strictSame(faults({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }), ['OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf'])
})

t.test('values that contradict each other are refused', async t => {
  t.match(faults({ KEY_SLOT_SECONDS: '1199', JWKS_MAX_AGE_SECONDS: '300' }), [/^KEY_SLOT_SECONDS must be at least 4/])
  t.strictSame(faults({ PORT: '9464' }), ['METRICS_PORT must not be PORT'])
  t.strictSame(faults({ PORT: '9464', METRICS_PORT: '0' }), [])
  t.match(faults({ SESSION_MAX_SECONDS: '3600', REFRESH_TOKEN_TTL_SECONDS: '7200' }), [/^SESSION_MAX_SECONDS/])
  t.match(faults({ ARGON2_MEMORY_KIB: '19455', ARGON2_PASSES: '2' }), [/OWASP/])
  for (const [memory, passes] of [['12288', '3'], ['7168', '5'], ['47104', '1'], ['65536', '2']] as const) t.strictSame(faults({ ARGON2_MEMORY_KIB: memory, ARGON2_PASSES: passes }), [], `${memory}/${passes}`)
})

t.test('a name that nearly matches a setting is a typo, and the setting is named', async t => {
  for (const [typo, meant] of [['DATABSE_URL', 'DATABASE_URL'], ['database_url', 'DATABASE_URL'], ['KEY_ENCRYPTION_KEYS', 'KEY_ENCRYPTION_KEY'], ['PUBLIC_URI', 'PUBLIC_URL'], ['CORS_ORIGIN', 'CORS_ORIGINS'], ['DATABASE_URL_FLE', 'DATABASE_URL_FILE'], ['port', 'PORT']] as const) {
    t.strictSame(faults({ [typo]: 'x' }), [`${typo} is not a setting; did you mean ${meant}?`])
  }
  t.strictSame(faults({ PATH: '/bin', HOME: '/root', POST: 'x', HOSTNAME: 'x', npm_config_port: '1', LANG: 'C', SSH_AUTH_SOCK: 'x', LOGNAME: 'x', PWD: '/' }), [], 'what every shell has is none')
})

t.test('a secret comes from a file as well, but not from two places', async t => {
  const files = { '/run/url': 'postgresql://u:p@db/app\n', '/run/kek': `${kek()}\n` }
  const config = load({ ...PRODUCTION, DATABASE_URL: '', KEY_ENCRYPTION_KEY: '', DATABASE_URL_FILE: '/run/url', KEY_ENCRYPTION_KEY_FILE: '/run/kek' }, files)
  t.equal(config.databaseUrl, 'postgresql://u:p@db/app', 'without the line break')
  t.strictSame(faults({ DATABASE_URL: 'postgresql://u:p@db/app', DATABASE_URL_FILE: '/run/url' }, files), ['DATABASE_URL and DATABASE_URL_FILE are both set; set one'])
  t.strictSame(faults({ DATABASE_URL_FILE: '/run/nothing' }, files), ['DATABASE_URL_FILE cannot be read (ENOENT)'])
  t.strictSame(load({ PORT_FILE: '/run/url' } as Record<string, string>, files).port, 3000, 'only secrets have a file')
})

t.test('an empty variable is one that is not set', async t => {
  t.strictSame({ ...load(Object.fromEntries(Object.values(variables).map(({ name }) => [name, '']))) }, { ...load({}) })
})

t.test('a node without a database wants an upstream and an issuer, and nothing of a database', async t => {
  const relay = { MODE: 'verifier', UPSTREAM_URL: 'https://gateway:hunter2@auth.example.com', PUBLIC_URL: 'https://auth.example.com' }
  for (const more of [{}, { NODE_ENV: 'production' }]) {
    t.match(load({ ...relay, ...more }), { mode: 'verifier', tokenAudience: 'https://auth.example.com', relaxations: [], drainSeconds: 3 })
  }
  t.equal(printableConfig(load(relay))['UPSTREAM_URL'], '(redacted)')
  t.equal(load(relay).feedAccess, 'client', 'what credentials were needed for is not given to everybody')
  t.equal(load({ ...relay, UPSTREAM_URL: 'https://auth.example.com' }).feedAccess, 'public')
  t.strictSame(faults({ MODE: 'verifier' }).map(fault => fault.split(' ')[0]), ['UPSTREAM_URL', 'PUBLIC_URL'])
  t.strictSame(faults({ ...relay, DATABASE_URL: 'postgresql://u:p@db/app', KEY_ENCRYPTION_KEY: kek() }).map(fault => fault.split(' ')[0]), ['DATABASE_URL', 'KEY_ENCRYPTION_KEY'])
  t.strictSame(faults({ UPSTREAM_URL: relay.UPSTREAM_URL }), ['UPSTREAM_URL is for MODE=verifier only'])
  for (const url of ['auth.example.com', 'ftp://a.example', 'https://a.example/', 'https://a.example?x=1', 'https://a.example#x', 'https://hunter2@a.example', 'https://:hunter2@a.example', 'https://a:hunter2%zz@a.example']) {
    const found = faults({ ...relay, UPSTREAM_URL: url })
    t.match(found, [/^UPSTREAM_URL must be a URL/], url)
    t.notMatch(found.join(), 'hunter2')
  }
  t.equal(load({ ...relay, UPSTREAM_URL: '', UPSTREAM_URL_FILE: '/run/upstream' }, { '/run/upstream': `${relay.UPSTREAM_URL}\n` }).upstreamUrl, relay.UPSTREAM_URL)
})

t.test('a key-encryption key that somebody could guess refuses to start', async t => {
  const key = (bytes: Buffer) => `k:${bytes.toString('base64')}`
  const weak: Record<string, string> = {
    'a word': 'secret',
    'a word with an id': 'k:secret',
    '31 bytes': key(randomBytes(31)),
    '33 bytes': key(randomBytes(33)),
    'all zero': key(Buffer.alloc(32)),
    'one byte repeated': key(Buffer.alloc(32, 7)),
    'readable text': key(Buffer.from('this-is-a-very-secret-key-32-byt')),
    'hexadecimal text': key(Buffer.from(randomBytes(16).toString('hex'))),
    'no id': randomBytes(32).toString('base64'),
    'an id of spaces': `  :${randomBytes(32).toString('base64')}`,
    'an id twice': `${kek('a')},${kek('a')}`,
    'a weak one behind a good one': `${kek('a')},b:${Buffer.alloc(32).toString('base64')}`,
    'a comma too many': `${kek()},`,
  }
  for (const [what, value] of Object.entries(weak)) t.match(faults({ ...PRODUCTION, KEY_ENCRYPTION_KEY: value }).filter(fault => !fault.includes('is required')), [/^KEY_ENCRYPTION_KEY /], what)
  t.strictSame(faults({ ...PRODUCTION, KEY_ENCRYPTION_KEY: `${kek('new')}, ${kek('old')}` }), [])
  t.strictSame(faults({ ...PRODUCTION, KEY_ENCRYPTION_KEY: `k:${randomBytes(32).toString('base64url')}` }), [], 'base64url too')
})

t.test('printed configuration names every variable and no secret', async t => {
  const printed = printableConfig(load(PRODUCTION))
  t.strictSame(Object.keys(printed).sort(), Object.values(variables).map(({ name }) => name).sort())
  t.equal(printed['DATABASE_URL'], '(redacted)')
  t.equal(printed['KEY_ENCRYPTION_KEY'], '(redacted)')
  t.equal(printableConfig(load({}))['DATABASE_URL'], '(not set)')
  t.notMatch(JSON.stringify(printed), PRODUCTION.KEY_ENCRYPTION_KEY.slice(4))
})
