import { randomBytes } from 'node:crypto'
import t from 'tap'
import { enqueueMail } from '../../src/core/mail/enqueue.ts'
import type { Mail } from '../../src/core/mail/mail.ts'
import { placeholders } from '../../src/core/mail/template.ts'
import { openTransport } from '../../src/core/mail/transport.ts'
import { verifyActionToken, type ActionClaims } from '../../src/core/tokens/action-token.ts'
import { inTransaction } from '../../src/db/client.ts'
import { openMailbox } from '../helpers/mailbox.ts'
import { mailStates, quietUser } from '../helpers/mail-queue.ts'
import { until } from '../helpers/until.ts'
import { world } from '../helpers/world.ts'

const APP = 'https://app.example.com/account'
const address = () => `${randomBytes(6).toString('hex')}@example.com`

t.test('each mail reaches the one it is for, in plain text and HTML, with a link of its own kind, to where the operator says', async t => {
  const mailbox = await openMailbox(t)
  const { ctx, sql } = await world(t, { MAIL_URL: mailbox.url, APP_URL: APP, MAIL_FROM: 'Example Inc. <auth@example.com>' })
  const { id, email } = await quietUser(sql)
  const other = address()
  const expected: { mail: Mail, to: string, page?: string, kind?: keyof ActionClaims }[] = [
    { mail: { kind: 'verify_email', email }, to: email, page: '/verify-email', kind: 'ev' },
    { mail: { kind: 'known_address', email }, to: email, page: '/reset-password', kind: 'pr' },
    { mail: { kind: 'reset_password', email }, to: email, page: '/reset-password', kind: 'pr' },
    { mail: { kind: 'invitation', user_id: id }, to: email, page: '/reset-password', kind: 'pr' },
    { mail: { kind: 'sign_in_locked', user_id: id }, to: email, page: '/reset-password', kind: 'pr' },
    { mail: { kind: 'confirm_email_change', user_id: id, old_email: email, new_email: other, epoch: 1 }, to: other, page: '/confirm-email-change', kind: 'ec' },
    { mail: { kind: 'email_change_requested', user_id: id, old_email: email, new_email: other }, to: email },
    { mail: { kind: 'email_changed', user_id: id, old_email: email, new_email: other }, to: email },
    { mail: { kind: 'password_changed', user_id: id }, to: email },
    { mail: { kind: 'session_reused', user_id: id }, to: email },
    { mail: { kind: 'account_deleted', email, locale: null }, to: email },
  ]
  t.strictSame(expected.map(({ mail }) => mail.kind).sort(), Object.keys(placeholders).sort(), 'none is left out')
  for (const { mail } of expected) await enqueueMail(ctx, mail)
  for (const { mail, to, page, kind } of expected) {
    const letter = await mailbox.next(to)
    t.equal(letter.from, '"Example Inc." <auth@example.com>')
    t.match(letter.headers, { 'auto-submitted': 'auto-generated', 'content-language': 'en' })
    t.match(letter.messageId, /^<[0-9a-f-]{36}@localhost>$/)
    t.notMatch(letter.subject + letter.text + letter.html, '{{', `${mail.kind}: every value is there`)
    t.match(letter.text, 'Example Inc.')
    if (!kind) { t.equal(letter.link, '', `${mail.kind} has no link`); continue }
    t.equal(letter.link, `${APP}${page}#token=${letter.token}`)
    t.match(letter.html, `href="${letter.link}"`)
    t.match((await verifyActionToken(ctx, kind, letter.token)).claims, { sub: id })
  }
})

t.test('a mail is in the language of its user, or in English', async t => {
  const mailbox = await openMailbox(t)
  const { ctx, sql } = await world(t, { MAIL_URL: mailbox.url })
  for (const [locale, subject, duration] of [['de-AT', 'Setzen Sie ein neues Passwort', '30 Minuten'], ['fr', 'Set a new password', '30 minutes'], ['..', 'Set a new password', '30 minutes']]) {
    const { id, email } = await quietUser(sql)
    await sql('UPDATE users SET locale = $1 WHERE id = $2', [locale, id])
    await enqueueMail(ctx, { kind: 'reset_password', email })
    const letter = await mailbox.next(email)
    t.equal(letter.subject, subject)
    t.match(letter.text, duration)
  }
})

t.test('nothing is sent where there is no account, or it is not so any more, and the job is done', async t => {
  const mailbox = await openMailbox(t)
  const { ctx, sql } = await world(t, { MAIL_URL: mailbox.url })
  const [confirmed, disabled, moved] = [await quietUser(sql), await quietUser(sql), await quietUser(sql)]
  await sql('UPDATE users SET email_verified_at = now() WHERE id = $1', [confirmed.id])
  await sql('UPDATE users SET status = 2 WHERE id = $1', [disabled.id])
  await sql('UPDATE users SET epoch = 2 WHERE id = $1', [moved.id])
  const unknown = '00000000-0000-7000-8000-000000000000'
  const mails: Mail[] = [
    ...(['verify_email', 'known_address', 'reset_password'] as const).flatMap(kind => [{ kind, email: address() }, { kind, email: disabled.email }]),
    { kind: 'verify_email', email: confirmed.email },
    ...(['invitation', 'sign_in_locked'] as const).flatMap(kind => [{ kind, user_id: unknown }, { kind, user_id: disabled.id }]),
    ...(['password_changed', 'session_reused'] as const).map(kind => ({ kind, user_id: unknown })),
    { kind: 'confirm_email_change', user_id: moved.id, old_email: moved.email, new_email: address(), epoch: 1 },
    { kind: 'confirm_email_change', user_id: confirmed.id, old_email: address(), new_email: address(), epoch: 1 },
  ]
  for (const mail of mails) await enqueueMail(ctx, mail)
  await until(async () => (await mailStates(sql)).every(state => state === 'email:completed'), 10_000)
  const everybody = [confirmed, disabled, moved].map(({ email }) => email).concat(mails.flatMap(mail => 'new_email' in mail ? [mail.new_email] : []))
  t.strictSame(everybody.flatMap(email => mailbox.all(email)), [])
})

t.test('a transaction that is rolled back sends nothing; one that commits sends, and only then', async t => {
  const mailbox = await openMailbox(t)
  const { ctx, sql } = await world(t, { MAIL_URL: mailbox.url })
  const { email } = await quietUser(sql)
  await t.rejects(inTransaction(ctx, async ctx => {
    await enqueueMail(ctx, { kind: 'verify_email', email })
    throw new Error('no')
  }), { message: 'no' })
  await inTransaction(ctx, async ctx => {
    await enqueueMail(ctx, { kind: 'reset_password', email })
    await new Promise(resolve => setTimeout(resolve, 1_000))
    t.strictSame(mailbox.all(email), [])
  })
  t.equal((await mailbox.next(email)).subject, 'Set a new password')
  // The mail is there before the sender has heard that it is.
  await until(async () => (await mailStates(sql))[0] !== 'email:active')
  t.strictSame(await mailStates(sql), ['email:completed'])
})

t.test('neither the queue nor the log ever holds a token, or the log an address', async t => {
  const mailbox = await openMailbox(t)
  const { ctx, sql, logLines } = await world(t, { MAIL_URL: mailbox.url })
  const { email } = await quietUser(sql)
  await enqueueMail(ctx, { kind: 'reset_password', email })
  const { token } = await mailbox.next(email)
  await until(async () => (await mailStates(sql))[0] === 'email:completed')
  const rows = JSON.stringify(await sql('SELECT j::text FROM pgboss.job j'))
  t.match(rows, email)
  for (const part of token.split('.')) t.notMatch(rows, part)
  const log = JSON.stringify(logLines())
  t.match(log, 'mail sent')
  for (const part of [...token.split('.'), email]) t.notMatch(log, part)
})

t.test('a name that carries a message, or headers, is in no mail', async t => {
  const mailbox = await openMailbox(t)
  const { ctx, sql } = await world(t, { MAIL_URL: mailbox.url })
  const { id, email } = await quietUser(sql)
  await sql('UPDATE users SET name = $1 WHERE id = $2', ['You won: https://evil.example\r\nBcc: evil@example.com', id])
  for (const kind of ['verify_email', 'known_address'] as const) {
    await enqueueMail(ctx, { kind, email })
    t.notMatch(JSON.stringify(await mailbox.next(email)), 'evil')
  }
  t.strictSame(mailbox.all('evil@example.com'), [])
})

t.test('whatever an address holds, it makes neither a header nor a second recipient, nor HTML', async t => {
  const mailbox = await openMailbox(t)
  const { send, close } = openTransport({ mailUrl: mailbox.url, mailFrom: 'auth@example.com' })
  t.teardown(close)
  const message = { messageId: '<1@localhost>', subject: 'Subject\r\nBcc: evil@example.com', text: 'text', html: '<p>text</p>', language: 'en' }
  for (const to of ['a@example.com\r\nBcc: evil@example.com', 'a@example.com, evil@example.com', 'a@example.com> <evil@example.com', '"evil@example.com" <a@example.com>']) {
    await send({ ...message, to }).catch(() => {})
  }
  await send({ ...message, to: 'b@example.com' })
  t.strictSame(mailbox.all('evil@example.com'), [])
  const letter = await mailbox.next('b@example.com')
  t.notOk('bcc' in letter.headers)
})

t.test('the console shows the mail, link and all', async t => {
  const { ctx, sql } = await world(t)
  const { email } = await quietUser(sql)
  const written: string[] = []
  const write = process.stdout.write
  t.teardown(() => { process.stdout.write = write })
  process.stdout.write = (text => { written.push(String(text)); return true }) as typeof write
  await openTransport(ctx.config).send({ messageId: '<1@localhost>', to: email, subject: 'Hello', text: 'one\nhttp://localhost/#token=x\n', html: '', language: 'en' })
  process.stdout.write = write
  t.match(written.join(''), `mail to ${email}`)
  t.match(written.join(''), 'Subject: Hello\n\none\nhttp://localhost/#token=x\n')
})

t.test('mail goes over TLS, at once or by STARTTLS; with credentials never without, and to no server that cannot prove who it is', async t => {
  const message = { messageId: '<1@localhost>', subject: 'Subject', text: 'text', html: '<p>text</p>', language: 'en' }
  const secure = await openMailbox(t, { secure: true })
  const starttls = await openMailbox(t, { disabledCommands: [] })
  const transport = (mailUrl: string) => {
    const { send, close } = openTransport({ mailUrl, mailFrom: 'auth@example.com' })
    t.teardown(close)
    return send
  }
  const self = '?tls.rejectUnauthorized=false'
  await transport(`${secure.url.replace('smtp:', 'smtps:')}/${self}`)({ ...message, to: 'a@example.com' })
  await secure.next('a@example.com')
  await transport(`${starttls.url}/${self}`)({ ...message, to: 'b@example.com' })
  await starttls.next('b@example.com')
  await t.rejects(transport(secure.url.replace('smtp:', 'smtps:'))({ ...message, to: 'c@example.com' }), /certificate/)
  const plain = await openMailbox(t, { authOptional: true, onAuth: (_, __, done) => { done(null, { user: 'u' }) } })
  await t.rejects(transport(plain.url.replace('smtp://127.0.0.1', 'smtp://u:p@127.1'))({ ...message, to: 'd@example.com' }), /STARTTLS/i)
  t.strictSame([secure, plain].flatMap(box => [...box.all('c@example.com'), ...box.all('d@example.com')]), [])
})

t.test('no header of a request is in a link (GHSA-3529-5m8x-rpv3)', async t => {
  const mailbox = await openMailbox(t)
  const { call, config, sql } = await world(t, { MAIL_URL: mailbox.url, TRUSTED_PROXIES: 'loopback' })
  const { email } = await quietUser(sql)
  const evil = 'evil.example'
  await call('POST', '/v1/password-reset', {
    body: { email },
    headers: { host: evil, 'x-forwarded-host': evil, 'x-forwarded-proto': 'ftp', 'x-forwarded-port': '666', 'x-forwarded-prefix': '/evil', 'x-original-url': '/evil', forwarded: `host=${evil};proto=ftp` },
  })
  const letter = await mailbox.next(email)
  t.ok(letter.link.startsWith(`${config.publicUrl}/reset-password#token=`), letter.link)
  t.notMatch(JSON.stringify(letter), 'evil')
})
