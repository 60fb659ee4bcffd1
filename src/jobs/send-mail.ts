import type { Context } from '../context.ts'
import { HopelessJob, type Job } from '../core/jobs/jobs.ts'
import type { Mail } from '../core/mail/mail.ts'
import { render } from '../core/mail/template.ts'
import type { Templates } from '../core/mail/templates.ts'
import type { Transport } from '../core/mail/transport.ts'
import { actionTtlSeconds, issueEmailChangeToken, issueResetToken, issueVerificationToken } from '../core/tokens/action-token.ts'
import { findForMail, type MailRecord } from '../core/users/store.ts'
import { traced } from '../trace.ts'

type Deps = Pick<Context, 'db' | 'keyring' | 'config' | 'log'> & { templates: Templates, transport: Transport }

/** What is to be sent, or null: whom it was for, or what it was about, is not so any more. */
type Letter = { to: string, locale: string | null, link?: { page: string, token: string, seconds: number }, values?: Record<string, string> }

/** Renders and sends one mail. Its links are made now: a retry has fresh ones, and who reads the queue has none. */
export async function sendMail (deps: Deps, { id, data: mail, attempt, last }: Job<Mail>): Promise<void> {
  const { config, templates, transport, log } = deps
  const letter = await letterFor(deps, mail)
  if (!letter) return
  const { language, template } = templates.find(mail.kind, letter.locale)
  const { subject, text, html } = render(template, {
    // Never from a request: whoever sent it chooses its headers (GHSA-3529-5m8x-rpv3).
    service: serviceName(config), service_url: config.appUrl ?? config.publicUrl, email: letter.to, ...letter.values,
    ...(letter.link && { link: `${config.appUrl ?? config.publicUrl}${letter.link.page}#token=${letter.link.token}`, valid_for: duration(letter.link.seconds, language) }),
  })
  // The same for every attempt, so that a mailbox can fold what was sent twice by a node that died between sending and saying so.
  const messageId = `<${id}@${new URL(config.publicUrl).hostname}>`
  try {
    await traced({ name: 'send mail', kind: 'client' }, async () => await transport.send({ messageId, to: letter.to, subject, text, html, language }))
    log.info({ job: id, mail: mail.kind, attempt }, 'mail sent')
  } catch (error) {
    const fault = { job: id, mail: mail.kind, attempt, err: (error as Error).message }
    if (last || error instanceof HopelessJob) log.error(fault, 'mail is not tried any more')
    else log.warn(fault, 'mail could not be sent yet')
    throw error
  }
}

async function letterFor ({ db, keyring, config }: Deps, mail: Mail): Promise<Letter | null> {
  const user = 'user_id' in mail ? await findForMail(db, { id: mail.user_id }) : await findForMail(db, { email: mail.email })
  const issuer = { keyring, config }
  const reset = (user: MailRecord) => ({ page: '/reset-password', token: issueResetToken(issuer, user, user.now), seconds: actionTtlSeconds.pr })
  switch (mail.kind) {
    case 'verify_email':
      if (!user?.active || user.emailVerified) return null
      return { to: user.email, locale: user.locale, link: { page: '/verify-email', token: issueVerificationToken(issuer, user, user.now), seconds: actionTtlSeconds.ev } }
    case 'known_address':
    case 'reset_password':
    case 'invitation':
    case 'sign_in_locked':
      return user?.active ? { to: user.email, locale: user.locale, link: reset(user) } : null
    case 'password_changed':
    case 'session_reused':
      return user && { to: user.email, locale: user.locale }
    case 'confirm_email_change': {
      const { user_id: sub, old_email: old, new_email: next, epoch: ver } = mail
      if (!user?.active || user.email !== old || user.epoch !== ver) return null
      const token = issueEmailChangeToken(issuer, { sub, old, new: next, ver }, user.now)
      return { to: next, locale: user.locale, link: { page: '/confirm-email-change', token, seconds: actionTtlSeconds.ec }, values: { old_email: old, new_email: next } }
    }
    case 'email_change_requested':
    case 'email_changed':
      // Also when the account is gone by now: whoever took it may have deleted it.
      return { to: mail.old_email, locale: user?.locale ?? null, values: { old_email: mail.old_email, new_email: mail.new_email } }
    case 'account_deleted':
      return { to: mail.email, locale: mail.locale }
  }
}

/** The name in `MAIL_FROM`, or the host. */
const serviceName = ({ mailFrom, publicUrl }: Context['config']): string => /^(.+) </.exec(mailFrom)?.[1] ?? new URL(publicUrl).hostname

function duration (seconds: number, language: string): string {
  const [unit, amount] = seconds >= 3_600 ? ['hour', seconds / 3_600] as const : ['minute', seconds / 60] as const
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(amount)
}
