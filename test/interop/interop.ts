import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeProtectedHeader } from 'jose'
import t, { type Test } from 'tap'
import { run as command } from '../../src/cli/run.ts'
import { forgeFrom } from '../helpers/forge.ts'
import { goodTokens, hostileRsaTokens, hostileTokens, watchedUrl, type Shapes } from '../helpers/hostile-tokens.ts'
import { newClient, post, tokenOf } from '../helpers/oauth.ts'
import { until } from '../helpers/until.ts'
import { elsewhere, type Elsewhere } from '../helpers/verifier.ts'
import type { Answer } from '../gateways/support/gateway.ts'
import { build, LANGUAGES, sourceOf, start, type Language, type Running } from './support/examples.ts'

// The examples of docs/verify-in-other-languages.md, each built and run as the page says, all held against one table.
const JWKS = '/.well-known/jwks.json'
const STALE_AFTER_SECONDS = 6
const buildingSince = performance.now()
await Promise.all(LANGUAGES.map(build))
t.comment(`built in ${Math.round((performance.now() - buildingSince) / 1000)} s`)

type Scene = Elsewhere & { running: Running[], each: <T>(work: (example: Running) => Promise<T>) => Promise<T[]>, operator: (...args: string[]) => Promise<void> }

const settings = (issuer: string) => ({ ISSUER: issuer, AUDIENCE: 'https://api.example', MAX_STALENESS: String(STALE_AFTER_SECONDS) })

async function scene (t: Test, env: Record<string, string> = {}): Promise<Scene> {
  const w = await elsewhere(t, env)
  const running = await Promise.all(LANGUAGES.map(async language => await start(t, language, settings(w.balancer.url))))
  const each: Scene['each'] = async work => await Promise.all(running.map(work))
  const operator = async (...args: string[]) => {
    const code = await command(args, { DATABASE_URL: w.databaseUrl, KEY_ENCRYPTION_KEY: `k:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`, LOG_LEVEL: 'silent' })
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`)
  }
  const { access_token: token } = await w.signIn()
  await each(async ({ ask }) => { await until(async () => (await ask(token)).status === 200, 10_000) })
  return { ...w, running, each, operator }
}

const accepted = (t: Test, { status, body }: Answer, sub: unknown, what: string) => t.match([status, status === 200 && JSON.parse(body).sub], [200, sub], what, { body })
function refused (t: Test, { status, headers, body }: Answer, what: string): void {
  t.match([status, headers['www-authenticate'] ?? 'no challenge'], [401, /^Bearer/], what)
  t.equal(body, '', `${what}: and not why`)
}
function unavailable (t: Test, { status, headers }: Answer, what: string): void { t.match([status, headers['retry-after']], [503, /^\d+$/], what) }

/** Without blank lines. Sixty hold the rules where one line is one thought; where a formatter decides it takes more (decision 0044). */
const LINES: Record<Language, number> = { Python: 60, Java: 145, Go: 210, Rust: 205 }

t.test('what a stranger copies is one file that can be read in a sitting', async t => {
  for (const language of LANGUAGES) {
    const lines = sourceOf(language).split('\n').filter(line => line.trim() !== '')
    t.ok(lines.length <= LINES[language], `${language}: ${lines.length} lines`)
    t.ok(Math.max(...lines.map(line => line.length)) <= 150, `${language}: the longest has ${Math.max(...lines.map(line => line.length))} characters`)
  }
})

t.test('every language accepts the same good tokens and refuses the same hostile ones', async t => {
  const w = await scene(t)
  const { access_token: good, user } = await w.signIn()
  const forged = forgeFrom(w.ctx, good)
  const now = Math.floor(w.clock.now() / 1000)
  for (const [name, token] of Object.entries(goodTokens({ forged, good, now }))) {
    await w.each(async ({ language, ask }) => accepted(t, await ask(token), user.id, `${language}: ${name}`))
  }
  await w.each(async ({ language, askWith }) => accepted(t, await askWith(`authorization: bearer ${good}`), user.id, `${language}: the scheme in small letters`))

  await t.test('a header that is not one bearer token', async t => {
    for (const headers of [
      [], [`Authorization: ${good}`], ['Authorization: Bearer'], ['Authorization: Bearer '], [`Authorization: Basic ${good}`], [`Authorization: Bearer, Bearer ${good}`], [`Authorization: Bearer${good}`],
      [`X-Authorization: Bearer ${good}`], [`Authorization: Bearer ${good}, Bearer ${good}`], [`Authorization: Bearer ${good}`, `Authorization: Bearer ${good}`],
      ['Authorization: Bearer nonsense', `authorization: Bearer ${good}`], [`Authorization: Bearer ${good} ${good}`], [`Authorization: Bearer \u00e9${good}`],
    ]) await w.each(async ({ language, askWith }) => { t.ok([0, 400, 401].includes((await askWith(...headers)).status), `${language}: ${headers.map(line => line.slice(0, 30)).join()}`) })
  })

  const watched = await watchedUrl(t)
  const fetched = w.balancer.count(JWKS)
  const began = performance.now()
  const groups: Record<string, Shapes> = await hostileTokens({ forged, good, now, elsewhere: watched.url, refreshToken: (await w.signIn()).refresh_token, jwks: (await w.call('GET', JWKS)).body })
  groups['shapes that break parsers'] = {
    'a header nested three thousand deep': forged.forge({ rawHeader: '['.repeat(3_000) }),
    'a payload nested three thousand deep': forged.forge({ rawPayload: `{"a":${'['.repeat(3_000)}` }),
    'NaN as exp': forged.forge({ rawPayload: JSON.stringify({ ...forged.claims, exp: 0 }).replace('"exp":0', '"exp":NaN') }),
    'Infinity as exp': forged.forge({ rawPayload: JSON.stringify({ ...forged.claims, exp: 0 }).replace('"exp":0', '"exp":Infinity') }),
    'a payload in UTF-16': forged.forge({ rawPayload: Buffer.from(JSON.stringify(forged.claims), 'utf16le') }),
  }
  for (const [group, shapes] of Object.entries(groups)) {
    await t.test(group, async t => {
      for (const [shape, token] of Object.entries(shapes)) {
        if (shape === 'a tab after it') continue // no part of a header's value (RFC 9110 §5.5)
        await w.each(async ({ language, ask }) => {
          const answer = await ask(token)
          // A line break or NUL ends the header, or the request.
          if (/[\n\r\0]/.test(token)) t.ok([0, 400, 401].includes(answer.status), `${language}: ${shape}: ${answer.status}`)
          else refused(t, answer, `${language}: ${shape}`)
        })
      }
    })
  }
  t.equal(watched.connections(), 0, 'no key was fetched from where a token said')
  const most = LANGUAGES.length * (1 + (performance.now() - began) / 2_000)
  t.ok(w.balancer.count(JWKS) - fetched <= most, `and the keys ${w.balancer.count(JWKS) - fetched} times, at most ${most}`)
  await w.each(async ({ language, ask }) => accepted(t, await ask(good), user.id, `${language}: and the good token is still good`))
})

t.test('with RS256 a token is good under RS256 only', async t => {
  const w = await scene(t, { SIGNING_ALG: 'RS256' })
  const { access_token: good, user } = await w.signIn()
  const forged = forgeFrom(w.ctx, good)
  await w.each(async ({ language, ask }) => accepted(t, await ask(forged.forge()), user.id, `${language}: control`))
  for (const [shape, token] of Object.entries(hostileRsaTokens(forged))) await w.each(async ({ language, ask }) => refused(t, await ask(token), `${language}: ${shape}`))
})

t.test('what ended on one node is refused by every language within two seconds', async t => {
  const w = await scene(t)
  const { call } = await w.anotherNode() // what a node did itself it knows at once; the examples ask another
  const took: Record<string, number[]> = Object.fromEntries(LANGUAGES.map(language => [language, []]))
  const bystander = await w.signIn()
  const ends = async (t: Test, what: string, token: string, end: () => Promise<unknown>) => {
    await w.each(async ({ language, ask }) => t.equal((await ask(token)).status, 200, `${language}: before ${what}`))
    await end()
    const endedAt = performance.now()
    await w.each(async ({ language, ask }) => {
      await until(async () => (await ask(token)).status === 401, 10_000)
      took[language]!.push(performance.now() - endedAt)
      t.ok(took[language]!.at(-1)! < 2_000, `${language}: ${what}: ${Math.round(took[language]!.at(-1)!)} ms`)
    })
  }
  const logOut = async ({ refresh_token }: { refresh_token: string }) => await call('POST', '/v1/auth/logout', { body: { refresh_token } })

  for (let round = 0; round < 10; round++) {
    const session = await w.signIn()
    await ends(t, 'logout', session.access_token, async () => await logOut(session))
  }
  const everywhere = await w.signIn()
  await ends(t, 'logout-all', everywhere.access_token, async () => await call('POST', '/v1/auth/logout-all', { bearer: everywhere.access_token }))
  const again = await w.signIn(everywhere.user.email)
  await w.each(async ({ language, ask }) => accepted(t, await ask(again.access_token), again.user.id, `${language}: a new sign-in is a new session`))
  const closed = await w.signIn()
  await ends(t, 'a disabled user', closed.access_token, async () => await w.operator('users', 'disable', '--email', closed.user.email))
  const client = await newClient(w)
  const [lost, kept] = [await tokenOf(w, client), await tokenOf(w, client)]
  await ends(t, 'a token of a service', lost, async () => await post(w, '/oauth2/revoke', { token: lost }))
  await w.each(async ({ language, ask }) => accepted(t, await ask(kept), client.id, `${language}: the other token of the service lives`))
  await w.each(async ({ language, ask }) => accepted(t, await ask(bystander.access_token), bystander.user.id, `${language}: a bystander`))

  await ends(t, 'a leaked key', bystander.access_token, async () => await w.operator('keys', 'revoke', decodeProtectedHeader(bystander.access_token).kid!))
  await w.each(async ({ language, ask }) => {
    await until(async () => (await ask((await w.signIn()).access_token)).status === 200, 5_000)
    t.pass(`${language}: what signs next passes`)
  })
  const last = await w.signIn()
  await until(() => Date.now() % 1000 > 100) // tokens of this very second count as issued before it
  await ends(t, 'the breach button', last.access_token, async () => await w.operator('sessions', 'revoke-all'))
  for (const [language, times] of Object.entries(took)) {
    times.sort((one, other) => one - other)
    t.comment(`${language}: from the answer to the ending until it was refused: p50 ${Math.round(times[Math.floor(times.length / 2)]!)} ms, max ${Math.round(times.at(-1)!)} ms, n ${times.length}`)
  }
})

// An issuer that moves on to another algorithm publishes its key beside the old one.
t.test('keys are taken from the issuer itself, and one of a kind that a language does not know spoils no other', async t => {
  let node = ''
  let redirects = true
  const issuer = createServer((request, answer) => {
    if (redirects && request.url === JWKS) { answer.writeHead(302, { location: `${node}${JWKS}` }).end(); return }
    fetch(`${node}${request.url}`, { headers: { connection: 'close' } }).then(async onward => {
      const body = await onward.json() as { keys?: object[] }
      body.keys?.unshift({ kty: 'AKP', alg: 'ML-DSA-44', kid: 'later', use: 'sig', pub: 'AAAA' }, { kty: 'OKP', crv: 'X448', kid: 'other', x: 'AAAA' })
      answer.writeHead(onward.status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }).catch(() => answer.destroy())
  }).listen(0, '127.0.0.1')
  t.teardown(() => { issuer.closeAllConnections(); issuer.close() })
  await once(issuer, 'listening')
  const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`
  const w = await elsewhere(t, { PUBLIC_URL: url })
  node = w.address
  const { access_token: token, user } = await w.signIn()
  const running = await Promise.all(LANGUAGES.map(async language => await start(t, language, settings(url))))
  for (let round = 0; round < 4; round++) {
    for (const { language, ask } of running) unavailable(t, await ask(token), `${language}: keys from where a redirect leads are nobody’s`)
    await new Promise(resolve => setTimeout(resolve, 800))
  }
  redirects = false
  await Promise.all(running.map(async ({ language, ask }) => {
    await until(async () => (await ask(token)).status === 200, 10_000).catch(() => {})
    accepted(t, await ask(token), user.id, language)
  }))
})

// These mostly wait: together.
t.jobs = 3

t.test('tokens with invented kids make nobody ask for keys all the time, and keep nobody waiting', { buffered: true }, async t => {
  const w = await scene(t)
  const { access_token: good, user } = await w.signIn()
  const { forge } = forgeFrom(w.ctx, good)
  const unknown = () => forge({ header: { kid: randomUUID() } })
  const began = performance.now()
  const before = w.balancer.count(JWKS)
  await w.each(async ({ language, ask }) => {
    for (let round = 0; round < 10; round++) for (const answer of await Promise.all(Array.from({ length: 10 }, async () => await ask(unknown())))) refused(t, answer, language)
  })
  const asked = w.balancer.count(JWKS) - before
  t.ok(asked <= LANGUAGES.length * (1 + (performance.now() - began) / 2_000), `400 of them: ${asked} requests`)

  w.balancer.answer(JWKS, 'hang')
  await new Promise(resolve => setTimeout(resolve, 2_100))
  await w.each(async ({ language, ask }) => {
    const asking = performance.now()
    const waiting = Promise.all(Array.from({ length: 10 }, async () => await ask(unknown())))
    await new Promise(resolve => setTimeout(resolve, 100))
    for (let round = 0; round < 5; round++) {
      const answer = await ask(good)
      accepted(t, answer, user.id, `${language}: while ten strangers wait for keys`)
      t.ok(answer.ms < 2_500, `${language}: after ${Math.round(answer.ms)} ms`)
    }
    for (const answer of await waiting) unavailable(t, answer, `${language}: of a kid that may be new nothing can be said`)
    t.ok(performance.now() - asking < 8_000, `${language}: the strangers waited ${Math.round(performance.now() - asking)} ms, for one request`)
  })
})

t.test('the keys are followed from slot to slot, with nobody refused', { buffered: true }, async t => {
  const w = await scene(t, { JWKS_MAX_AGE_SECONDS: '1', KEY_SLOT_SECONDS: '4' })
  const kids = new Set<string>()
  await until(async () => {
    const { access_token: token, user } = await w.signIn()
    kids.add(decodeProtectedHeader(token).kid!)
    await w.each(async ({ language, ask }) => { const answer = await ask(token); if (answer.status !== 200) accepted(t, answer, user.id, `${language}: key ${kids.size}`) })
    return kids.size === 4
  }, 25_000)
})

t.test('with the service away every language verifies on, fails closed when its copy is too old, and comes back by itself', { buffered: true }, async t => {
  const w = await scene(t)
  const [living, ended] = [await w.signIn(), await w.signIn()]
  const { forge } = forgeFrom(w.ctx, living.access_token)
  const forged = forge({ signature: () => Buffer.alloc(64) })
  const goesStale = async (t: Test, what: string) => {
    const since = performance.now()
    await w.each(async ({ language, ask }) => {
      accepted(t, await ask(living.access_token), living.user.id, `${language}: ${what}: at first`)
      await until(async () => (await ask(living.access_token)).status === 503, (STALE_AFTER_SECONDS + 4) * 1_000)
      const after = (performance.now() - since) / 1_000
      t.ok(after > STALE_AFTER_SECONDS - 4.5, `${language}: ${what}: after ${after.toFixed(1)} s`)
      unavailable(t, await ask(living.access_token), `${language}: ${what}: too long`)
      refused(t, await ask(forged), `${language}: ${what}: and a forged one is never good`)
    })
  }
  const recovers = async (t: Test) => await w.each(async ({ language, ask }) => {
    await until(async () => (await ask(living.access_token)).status === 200, 8_000)
    refused(t, await ask(ended.access_token), `${language}: back, and knows what ended meanwhile`)
  })
  w.balancer.to(null)
  await w.call('POST', '/v1/auth/logout', { body: { refresh_token: ended.refresh_token } })
  await goesStale(t, 'service down')
  w.balancer.to(w.address)
  await recovers(t)

  w.balancer.answer(/revocations/, 400) // a cursor of another installation, as after a restored backup
  await new Promise(resolve => setTimeout(resolve, 3_000))
  const before = w.balancer.seen.length
  const anew = () => w.balancer.seen.slice(before).filter(({ path }) => path === '/v1/revocations').length
  w.balancer.answer(/revocations/, null)
  await until(() => anew() >= LANGUAGES.length, 6_000)
  await recovers(t)
  t.equal(anew(), LANGUAGES.length, 'each has begun from the start, once')

  w.ctx.revocations.stop() // the node answers, and its database does not: it repeats what it knew
  await goesStale(t, 'database down')
  const other = await w.anotherNode()
  w.balancer.to(await other.app.listen({ host: '127.0.0.1', port: 0 }))
  await recovers(t)
})
