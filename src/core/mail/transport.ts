import { createTransport } from 'nodemailer'
import { HopelessJob } from '../jobs/jobs.ts'

export type Message = { messageId: string, to: string, subject: string, text: string, html: string, language: string }

export type Transport = { send: (message: Message) => Promise<void> }

/** All of it within the time that a job may take. */
const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 15_000, dnsTimeout: 5_000 }

/** @param mailUrl `console:` prints what would be sent, links and all */
export function openTransport ({ mailUrl, mailFrom }: { mailUrl: string, mailFrom: string }): Transport {
  if (mailUrl === 'console:') return { send: async message => { process.stdout.write(printed(message)) } }
  const url = new URL(mailUrl)
  // Credentials never cross a network in the clear, whatever the server, or somebody in between, says that it can do.
  const requireTLS = url.username !== '' && !['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  const transport = createTransport({ url: mailUrl, requireTLS, disableFileAccess: true, disableUrlAccess: true, ...TIMEOUTS })
  return {
    send: async ({ language, to, ...message }) => {
      try {
        // RFC 3834: no out-of-office note answers it. The address as an object: it is one, whatever is in it.
        await transport.sendMail({ ...message, to: { name: '', address: to }, from: mailFrom, headers: { 'Auto-Submitted': 'auto-generated', 'Content-Language': language } })
      } catch (error) {
        const { code, responseCode = 0, message } = error as Error & { code?: string, responseCode?: number }
        // Refused for what it is or whom it is for; a server that refuses us (535) may be mended.
        if ((code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode >= 500) throw new HopelessJob(message, { cause: error })
        throw error
      }
    },
  }
}

const printed = ({ to, subject, text, messageId }: Message): string =>
  `\n--- mail to ${to} · ${messageId}\nSubject: ${subject}\n\n${text.trimEnd()}\n---\n`
