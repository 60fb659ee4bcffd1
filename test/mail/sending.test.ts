import t from 'tap'
import { enqueueMail } from '../../src/core/mail/enqueue.ts'
import { verifyActionToken } from '../../src/core/tokens/action-token.ts'
import { openMailbox } from '../helpers/mailbox.ts'
import { world } from '../helpers/world.ts'

t.test('a job becomes a mail in plain text and HTML, with a link that was made when it was sent', async t => {
  const mailbox = await openMailbox(t)
  const { ctx, signUp, config } = await world(t, { MAIL_URL: mailbox.url })
  const { id, email } = await signUp()
  await enqueueMail(ctx, { kind: 'reset_password', email })
  const mail = await mailbox.next(email)
  t.equal(mail.subject, 'Set a new password')
  t.equal(mail.link, `${config.publicUrl}/reset-password#token=${mail.token}`)
  t.match(mail.html, `href="${mail.link}"`)
  t.match(mail.messageId, /^<[0-9a-f-]{36}@localhost>$/)
  const { claims } = await verifyActionToken(ctx, 'pr', mail.token)
  t.equal(claims.sub, id)
})
