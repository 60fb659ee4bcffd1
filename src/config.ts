import { distance } from 'fastest-levenshtein'
import { addressRange, boolean, integer, keyEncryptionKeys, list, mailbox, mailUrl, oneOf, origin, postgresUrl, processes, publicUrl, redisUrl, text, upstreamUrl, type Parse } from './config-values.ts'
import { readOtel, type Otel } from './config-otel.ts'
import { StartError } from './errors.ts'

type Variable<T> = { name: string, parse: Parse<T>, default: string | undefined, secret?: true, doc: string }
const variable = <T, D extends string | undefined>(name: string, parse: Parse<T>, defaultValue: D, doc: string, secret?: true) =>
  ({ name, parse, default: defaultValue, doc, ...(secret && { secret }) }) as Variable<T> & { default: D }

/** The one schema: the type, the checks, the printed form and docs/configuration.md are all made from it. */
export const variables = {
  mode: variable('MODE', oneOf('full', 'verifier'), 'full', '`verifier`: no database; verifies tokens and relays keys and the feed of endings from `UPSTREAM_URL`.'),
  upstreamUrl: variable('UPSTREAM_URL', upstreamUrl, undefined, 'With `MODE=verifier`: where the service is reached, `https://host`, or `https://client_id:client_secret@host` where its feed asks for a client.', true),
  databaseUrl: variable('DATABASE_URL', postgresUrl, undefined, 'PostgreSQL 14 or newer. Embedded PostgreSQL when absent; required in production.', true),
  publicUrl: variable('PUBLIC_URL', publicUrl, undefined, 'Issuer (`iss`) and base of every link; never taken from request headers. `http://localhost:<PORT>` when absent; required in production.'),
  port: variable('PORT', integer(0, 65535), '3000', 'Port of the service.'),
  host: variable('HOST', text(255), '127.0.0.1', 'Address to listen on (`0.0.0.0` in the image).'),
  metricsPort: variable('METRICS_PORT', integer(0, 65535), '9464', 'Port of `/metrics`, on the same address and never on the public port; 0: none. In development a taken one is done without.'),
  workers: variable('WORKERS', processes, '1', 'Processes behind the port, on this machine; `auto`: as many as cores.'),
  keyEncryptionKey: variable('KEY_ENCRYPTION_KEY', keyEncryptionKeys, undefined, '`id:base64[,id:base64]`, 32 bytes each; the first encrypts, all decrypt. Generated beside the embedded database; required in production.', true),
  accessTokenTtlSeconds: variable('ACCESS_TOKEN_TTL_SECONDS', integer(60, 3600), '600', 'Lifetime of an access token.'),
  refreshTokenTtlSeconds: variable('REFRESH_TOKEN_TTL_SECONDS', integer(60, 365 * 86400), String(30 * 86400), 'A session ends after this long without a refresh.'),
  sessionMaxSeconds: variable('SESSION_MAX_SECONDS', integer(60, 730 * 86400), String(90 * 86400), 'A session ends this long after its sign-in, whatever happens.'),
  refreshGraceSeconds: variable('REFRESH_GRACE_SECONDS', integer(0, 300), '60', 'A spent refresh token answers with the same successor for this long.'),
  signingAlg: variable('SIGNING_ALG', oneOf('ES256', 'RS256'), 'ES256', 'Algorithm of access tokens; read when a key is created.'),
  tokenAudience: variable('TOKEN_AUDIENCE', text(255), undefined, '`aud` of access tokens. `PUBLIC_URL` when absent.'),
  clientId: variable('CLIENT_ID', text(64), 'app', '`client_id` of first-party sign-ins.'),
  corsOrigins: variable('CORS_ORIGINS', list(origin), '', 'Exact origins, separated by commas, that may call with credentials.'),
  trustedProxies: variable('TRUSTED_PROXIES', list(addressRange), '', 'Addresses or CIDRs whose `X-Forwarded-For` is believed.'),
  passwordMinLength: variable('PASSWORD_MIN_LENGTH', integer(8, 64), '15', 'In code points (NIST SP 800-63B-4: 15 where the password is the only factor).'),
  argon2MemoryKib: variable('ARGON2_MEMORY_KIB', integer(7168, 1048576), '19456', 'Memory of one password hash.'),
  argon2Passes: variable('ARGON2_PASSES', integer(1, 10), '2', 'Passes of one password hash. Below an OWASP row refuses to start.'),
  requireVerifiedEmail: variable('REQUIRE_VERIFIED_EMAIL', boolean, undefined, 'Sign-in needs a confirmed address. `true` when absent; `false` with the embedded database.'),
  appUrl: variable('APP_URL', publicUrl, undefined, 'Where links in mail lead: `/verify-email`, `/reset-password` and `/confirm-email-change` below it, each with `#token=…`. Three small pages under `PUBLIC_URL` when absent.'),
  mailUrl: variable('MAIL_URL', mailUrl, 'console:', '`smtp://user:password@host:587` or `smtps://…`; `console:` prints mail instead of sending it, and is refused in production where addresses must be confirmed.', true),
  mailFrom: variable('MAIL_FROM', mailbox, undefined, 'Sender of mail, `Name <address>` or an address. `no-reply@` the host of `PUBLIC_URL` when absent.'),
  mailTemplates: variable('MAIL_TEMPLATES', text(1024), undefined, 'A folder whose files replace the built-in texts of mail, one by one: `<language>/<mail>.txt` and `.html`.'),
  tokenMaxBytes: variable('TOKEN_MAX_BYTES', integer(1024, 8192), '2048', 'Largest access token that roles and claims set by an administrator may lead to.'),
  breachedPasswordsUrl: variable('BREACHED_PASSWORDS_URL', upstreamUrl, undefined, 'A server of the k-anonymity range protocol (`GET <url>/range/<5 hex digits>`), asked whether a new password is known from a breach. Not asked when absent.'),
  redisUrl: variable('REDIS_URL', redisUrl, undefined, 'Shared counters of rate limits in Redis instead of PostgreSQL.', true),
  auditRetentionSeconds: variable('AUDIT_RETENTION_SECONDS', integer(86400, 3650 * 86400), String(400 * 86400), 'How long audit events are kept; never less than `SESSION_MAX_SECONDS`.'),
  unverifiedAccountSeconds: variable('UNVERIFIED_ACCOUNT_SECONDS', integer(0, 3650 * 86400), String(30 * 86400), 'Where addresses must be confirmed, accounts whose address nobody confirmed are deleted after this long; 0: never.'),
  rateLimitScale: variable('RATE_LIMIT_SCALE', integer(1, 1_000_000), '1', 'Multiplies the per-address limits (many users behind one address).'),
  keySlotSeconds: variable('KEY_SLOT_SECONDS', integer(4, 366 * 86400), String(30 * 86400), 'How long one signing key is used; at least 4 × `JWKS_MAX_AGE_SECONDS`. Fixed by the first start of an installation.'),
  feedCursor: variable('FEED_CURSOR', oneOf('xid', 'time'), 'xid', 'What orders the feed of endings: transaction ids, or with `time` the time of writing and an overlap of ten seconds, for databases without `xid8`. Nodes of either kind understand each other.'),
  jwksMaxAgeSeconds: variable('JWKS_MAX_AGE_SECONDS', integer(1, 900), '300', '`max-age` of the JWKS.'),
  feedAccess: variable('FEED_ACCESS', oneOf('public', 'client'), 'public', 'Who may read the revocation feed: everybody, or (`client`) who authenticates as a client or has a token with the scope `introspect`. Always `client` where `UPSTREAM_URL` has credentials.'),
  docs: variable('DOCS', boolean, undefined, 'Serve `/docs`, `/openapi.json` and `/openapi.yaml`. `true` outside production when absent.'),
  logLevel: variable('LOG_LEVEL', oneOf('debug', 'info', 'warn', 'error', 'silent'), 'info', 'Least severity that is logged.'),
  drainSeconds: variable('DRAIN_SECONDS', integer(0, 8), undefined, 'After SIGTERM, how long requests are still taken while `/readyz` is false. 3 when absent; 0 with the embedded database.'),
  dataDir: variable('DATA_DIR', text(1024), '.data', 'Where the embedded database and generated keys are kept. Unused in production.'),
} as const

type Variables = typeof variables
type Values = { [K in keyof Variables]: Variables[K] extends Variable<infer T> & { default: infer D } ? (D extends string ? T : T | undefined) : never }

export type Config = Readonly<Omit<Values, 'publicUrl' | 'tokenAudience' | 'requireVerifiedEmail' | 'mailFrom' | 'docs' | 'drainSeconds'> & {
  publicUrl: string
  mailFrom: string
  tokenAudience: string
  requireVerifiedEmail: boolean
  docs: boolean
  drainSeconds: number
  production: boolean
  /** By OpenTelemetry's own variables, docs/metrics.md. */
  otel: Otel
  /** What development makes laxer, each in a few words. Empty in production. */
  relaxations: readonly string[]
}>

export class ConfigError extends StartError {
  override name = 'ConfigError'
  readonly faults: readonly string[]
  constructor (faults: readonly string[]) {
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map(fault => `  ${fault}`).join('\n')}`)
    this.faults = faults
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** Reads the environment, or throws one ConfigError that lists every fault. `NAME_FILE` stands for NAME wherever NAME is secret. */
export function loadConfig (env: Environment, readFile: (path: string) => string): Config {
  const faults = typos(env)
  const values: Record<string, unknown> = {}
  for (const [property, { name, parse, default: defaultValue, secret }] of Object.entries(variables)) {
    const raw = secret ? secretValue(name) : env[name]
    const given = raw === undefined || raw === '' ? defaultValue : raw
    if (given === undefined) continue
    const result = parse(given)
    if ('fault' in result) faults.push(`${name} ${result.fault}`)
    else values[property] = result.value
  }
  const production = env['NODE_ENV'] === 'production'
  const { otel, faults: otelFaults } = readOtel(env)
  const config = derive(values as Values, production, otel)
  faults.push(...otelFaults, ...contradictions(config, 'publicUrl' in values))
  if (faults.length > 0) throw new ConfigError(faults)
  return Object.freeze(config)

  function secretValue (name: string): string | undefined {
    const path = env[`${name}_FILE`]
    if (!path) return env[name]
    if (env[name]) { faults.push(`${name} and ${name}_FILE are both set; set one`); return undefined }
    try { return readFile(path).trim() } catch (error) {
      faults.push(`${name}_FILE cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`)
      return undefined
    }
  }
}

/** The effective values by variable name, secrets redacted: what `stateless-auth config print` shows. */
export function printableConfig (config: Config): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).map(([property, { name, secret }]) => {
    const value = config[property as keyof Variables]
    if (value === undefined) return [name, '(not set)']
    return [name, secret ? '(redacted)' : String(value)]
  }))
}

function derive (values: Values, production: boolean, otel: Otel): Config {
  const embedded = values.mode === 'full' && values.databaseUrl === undefined && !production
  const requireVerifiedEmail = values.requireVerifiedEmail ?? !embedded
  const publicUrl = values.publicUrl ?? `http://localhost:${values.port || 3000}`
  const relaxations = production || values.mode === 'verifier'
    ? []
    : [
        embedded && 'embedded PostgreSQL',
        values.keyEncryptionKey === undefined && 'generated key-encryption key',
        values.mailUrl === 'console:' && 'mail is printed, not sent',
        !requireVerifiedEmail && 'e-mail addresses are not verified',
      ].filter(relaxation => relaxation !== false)
  return {
    ...values,
    publicUrl,
    // An upstream that wants credentials keeps its feed to clients: what comes from there is not to be handed to everybody here.
    feedAccess: values.upstreamUrl !== undefined && new URL(values.upstreamUrl).username !== '' ? 'client' : values.feedAccess,
    tokenAudience: values.tokenAudience ?? publicUrl,
    requireVerifiedEmail,
    mailFrom: values.mailFrom ?? `no-reply@${new URL(publicUrl).hostname}`,
    docs: values.docs ?? !production,
    drainSeconds: values.drainSeconds ?? (embedded ? 0 : 3),
    production,
    otel,
    relaxations,
  }
}

function contradictions (config: Config, publicUrlGiven: boolean): string[] {
  const local = /^http:\/\/(localhost|127\.0\.0\.1)(:|$)/.test(config.publicUrl)
  const verifier = config.mode === 'verifier'
  return [
    verifier && config.upstreamUrl === undefined && 'UPSTREAM_URL is required with MODE=verifier',
    verifier && config.databaseUrl !== undefined && 'DATABASE_URL must not be set with MODE=verifier: it uses no database',
    verifier && config.keyEncryptionKey !== undefined && 'KEY_ENCRYPTION_KEY must not be set with MODE=verifier: it has no secret keys',
    verifier && !publicUrlGiven && 'PUBLIC_URL is required with MODE=verifier: it is the issuer whose tokens are verified',
    !verifier && config.upstreamUrl !== undefined && 'UPSTREAM_URL is for MODE=verifier only',
    !verifier && config.production && config.databaseUrl === undefined && 'DATABASE_URL is required in production',
    !verifier && config.production && config.keyEncryptionKey === undefined && 'KEY_ENCRYPTION_KEY is required in production, as id:base64 of 32 random bytes (`openssl rand -base64 32`)',
    !verifier && config.production && config.requireVerifiedEmail && config.mailUrl === 'console:' && 'MAIL_URL is required in production where addresses must be confirmed (or set REQUIRE_VERIFIED_EMAIL=false)',
    !verifier && config.production && !publicUrlGiven && 'PUBLIC_URL is required in production: it is the issuer of every token',
    config.production && !config.publicUrl.startsWith('https:') && !local && 'PUBLIC_URL must be https in production',
    config.metricsPort !== 0 && config.metricsPort === config.port && 'METRICS_PORT must not be PORT',
    config.keySlotSeconds < 4 * config.jwksMaxAgeSeconds && 'KEY_SLOT_SECONDS must be at least 4 × JWKS_MAX_AGE_SECONDS',
    config.auditRetentionSeconds < config.sessionMaxSeconds && 'AUDIT_RETENTION_SECONDS must not be shorter than SESSION_MAX_SECONDS: users find their sessions there',
    config.sessionMaxSeconds < config.refreshTokenTtlSeconds && 'SESSION_MAX_SECONDS must not be shorter than REFRESH_TOKEN_TTL_SECONDS',
    // OWASP Password Storage: 19 MiB with 2 passes, 12 with 3, 9 with 4, 7 with 5.
    ![[19456, 2], [12288, 3], [9216, 4], [7168, 5], [47104, 1]].some(([memory, passes]) => config.argon2MemoryKib >= memory! && config.argon2Passes >= passes!) &&
      'ARGON2_MEMORY_KIB and ARGON2_PASSES are below every row of the OWASP password storage cheat sheet (19456 and 2)',
  ].filter(fault => fault !== false)
}

/** A name that nearly matches a known one was meant to be it, and would otherwise be ignored in silence. */
function typos (env: Environment): string[] {
  const known = Object.values(variables).flatMap(({ name, secret }) => secret ? [name, `${name}_FILE`] : [name])
  return Object.keys(env).flatMap(name => {
    // OpenTelemetry's are many, and its packages read them.
    if (known.includes(name) || /^(npm_|OTEL_)/.test(name)) return []
    const meant = known.find(candidate => candidate === name.toUpperCase() || (candidate.length >= 7 && distance(candidate, name.toUpperCase()) <= 2))
    return meant === undefined ? [] : [`${name} is not a setting; did you mean ${meant}?`]
  })
}
