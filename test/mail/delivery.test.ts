import t from 'tap'
import { enqueueMail } from '../../src/core/mail/enqueue.ts'
import { cli } from '../helpers/cli.ts'
import { openMailbox, type Mailbox } from '../helpers/mailbox.ts'
import { loseHeartbeat, mailStates, quietUser, retryNow, superviseNow } from '../helpers/mail-queue.ts'
import { SHARED_KEK, startProcess, type NodeProcess } from '../helpers/processes.ts'
import { until } from '../helpers/until.ts'
import { world, type World } from '../helpers/world.ts'

const smtpError = (message: string, responseCode: number) => Object.assign(new Error(message), { responseCode })

/** A node that only takes orders, so that a test says which process does a job, and when. */
const withoutJobs = async (t: Test) => await world(t, { KEY_ENCRYPTION_KEY: SHARED_KEK })
type Test = Parameters<typeof world>[0]
const worker = async (t: Test, { databaseUrl }: World, mailbox: Mailbox): Promise<NodeProcess> => await startProcess(t, databaseUrl, { env: { MAIL_URL: mailbox.url } })

t.test('a mail of a node that is killed before it was sent is sent by another', async t => {
  const w = await withoutJobs(t)
  const { email } = await quietUser(w.sql)
  let reached = () => {}
  const greeted = new Promise<void>(resolve => { reached = resolve })
  // Takes connections and says nothing.
  const silent = await openMailbox(t, { onConnect: () => { reached() } })
  const first = await worker(t, w, silent)
  await enqueueMail(w.ctx, { kind: 'reset_password', email })
  await greeted
  t.strictSame(await mailStates(w.sql), ['email:active'])
  await first.stop('SIGKILL')
  const mailbox = await openMailbox(t)
  await worker(t, w, mailbox)
  await loseHeartbeat(w.sql)
  await superviseNow(w.sql, w.databaseUrl)
  await retryNow(w.sql)
  t.equal((await mailbox.next(email)).subject, 'Set a new password')
})

t.test('a node that is killed between sending and saying so leaves a second copy, which has the same Message-ID', async t => {
  const w = await withoutJobs(t)
  const { email } = await quietUser(w.sql)
  const taken: string[] = []
  const processes: NodeProcess[] = []
  const deadly = await openMailbox(t, {
    onData: (stream, _, done) => {
      let source = ''
      stream.on('data', (chunk: Buffer) => { source += chunk.toString() })
      stream.on('end', () => {
        taken.push(source)
        processes[0]!.child.kill('SIGKILL')
        done()
      })
    },
  })
  const first = await worker(t, w, deadly)
  processes.push(first)
  await enqueueMail(w.ctx, { kind: 'reset_password', email })
  await first.ended
  t.strictSame(await mailStates(w.sql), ['email:active'], 'nobody said that it was sent')
  const mailbox = await openMailbox(t)
  await worker(t, w, mailbox)
  await loseHeartbeat(w.sql)
  await superviseNow(w.sql, w.databaseUrl)
  await retryNow(w.sql)
  const { messageId } = await mailbox.next(email)
  t.equal(/^Message-ID: (.+)$/im.exec(taken[0]!)?.[1]?.trim(), messageId)
})

t.test('a mail server that is down: requests are answered, and the mail is sent when it is back, once', async t => {
  let down = true
  const attempts: number[] = []
  const mailbox = await openMailbox(t, {
    onMailFrom: (_, __, done) => { attempts.push(1); done(down ? smtpError('try again later', 451) : null) },
  })
  const { ctx, sql, signUp, logLines } = await world(t, { MAIL_URL: mailbox.url })
  const { email } = await quietUser(sql)
  await enqueueMail(ctx, { kind: 'reset_password', email })
  await until(async () => (await mailStates(sql))[0] === 'email:retry', 10_000)
  const [job] = await sql<{ wait: number }>('SELECT extract(epoch FROM start_after - started_on)::float8 AS wait FROM pgboss.job WHERE name = \'email\'')
  t.ok(job!.wait > 1 && job!.wait <= 30, `the next attempt comes in ${job!.wait} s`)
  t.match(logLines().find(({ msg }) => msg === 'mail could not be sent yet'), { level: 'warn', mail: 'reset_password', attempt: 1, err: /451/ })
  const started = performance.now()
  await signUp()
  t.ok(performance.now() - started < 2_000, 'nobody waits for the mail server')
  await sql('DELETE FROM pgboss.job WHERE data->>\'kind\' = \'verify_email\'')
  down = false
  await retryNow(sql)
  await mailbox.next(email)
  await until(async () => (await mailStates(sql))[0] === 'email:completed')
  t.ok(attempts.length <= 3)
  t.equal(mailbox.all(email).length, 1)
})

t.test('a mail that is refused for good is given up at once, is seen, and can be sent again', async t => {
  let refuse = true
  const mailbox = await openMailbox(t, { onRcptTo: (_, __, done) => { done(refuse ? smtpError('no such mailbox', 550) : null) } })
  const { ctx, sql, databaseUrl, logLines } = await world(t, { MAIL_URL: mailbox.url })
  const { email } = await quietUser(sql)
  await enqueueMail(ctx, { kind: 'reset_password', email })
  await until(async () => (await mailStates(sql)).includes('email:failed'), 10_000)
  t.strictSame(await mailStates(sql), ['email-dead:created', 'email:failed'])
  t.match(logLines().find(({ msg }) => msg === 'mail is not tried any more'), { level: 'error', attempt: 1, err: /550/ })
  await superviseNow(sql, databaseUrl)
  t.strictSame((await ctx.jobs.counts()).map(({ queue, queued }) => [queue, queued]), [['email-dead', 1], ['email', 0], ['housekeeping', 0]])
  refuse = false
  t.match(await cli(t, ['mail', 'resend'], { DATABASE_URL: databaseUrl }), { code: 0, stdout: '1 mail is sent again\n' })
  await mailbox.next(email)
  t.notOk((await mailStates(sql)).includes('email-dead:created'))
})

t.test('a mail that cannot be sent is tried nine times, and then given up', async t => {
  const mailbox = await openMailbox(t, { onMailFrom: (_, __, done) => { done(smtpError('try again later', 451)) } })
  const { ctx, sql, logLines } = await world(t, { MAIL_URL: mailbox.url })
  const { email } = await quietUser(sql)
  await enqueueMail(ctx, { kind: 'reset_password', email })
  await until(async () => {
    await retryNow(sql)
    return (await mailStates(sql)).includes('email-dead:created')
  }, 30_000)
  t.equal(logLines().filter(({ msg }) => msg === 'mail could not be sent yet').length, 8)
  t.equal(logLines().filter(({ msg }) => msg === 'mail is not tried any more').length, 1)
})

t.test('a node that is told to stop finishes the mail that it is sending', async t => {
  const w = await withoutJobs(t)
  const { email } = await quietUser(w.sql)
  let sending = () => {}
  const begun = new Promise<void>(resolve => { sending = resolve })
  const mailbox = await openMailbox(t, { onMailFrom: (_, __, done) => { sending(); setTimeout(done, 1_500) } })
  const node = await worker(t, w, mailbox)
  await enqueueMail(w.ctx, { kind: 'reset_password', email })
  await begun
  t.equal(await node.stop(), 0)
  t.equal(mailbox.all(email).length, 1)
  t.strictSame(await mailStates(w.sql), ['email:completed'])
})

t.test('a node that is told to stop while the mail server hangs ends within ten seconds, and gives the mail back', async t => {
  const w = await withoutJobs(t)
  const { email } = await quietUser(w.sql)
  let reached = () => {}
  const begun = new Promise<void>(resolve => { reached = resolve })
  const silent = await openMailbox(t, { onConnect: () => { reached() } })
  const node = await worker(t, w, silent)
  await enqueueMail(w.ctx, { kind: 'reset_password', email })
  await begun
  const started = performance.now()
  t.equal(await node.stop(), 0)
  t.ok(performance.now() - started < 10_000, `after ${Math.round(performance.now() - started)} ms`)
  t.strictSame(await mailStates(w.sql), ['email:retry'])
})
