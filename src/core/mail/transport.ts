import { connect, type Socket } from 'node:net'
import { createTransport, type SMTPTransportOptions } from 'nodemailer'
import { HopelessJob } from '../jobs/jobs.ts'

export type Message = { messageId: string, to: string, subject: string, text: string, html: string, language: string }

export type Transport = {
  send: (message: Message) => Promise<void>
  /** What is still being sent fails now: a server that hangs must not keep a process that ends. */
  close: () => void
}

/** All of it within the time that a job may take. After the last line of a mail, servers think for a while (RFC 5321 §4.5.3.2). */
const TIMEOUTS = { greetingTimeout: 10_000, socketTimeout: 30_000 }
const CONNECT_WITHIN_MS = 10_000

/** @param mailUrl `console:` prints what would be sent, links and all */
export function openTransport ({ mailUrl, mailFrom }: { mailUrl: string, mailFrom: string }): Transport {
  if (mailUrl === 'console:') return { send: async message => { process.stdout.write(printed(message)) }, close: () => {} }
  const url = new URL(mailUrl)
  // Credentials never cross a network in the clear, whatever the server, or somebody in between, says that it can do.
  const requireTLS = url.username !== '' && !['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  const open = new Set<Socket>()
  const getSocket: NonNullable<SMTPTransportOptions['getSocket']> = ({ host, port, secure }, callback) => {
    const socket = connect({ host: host ?? url.hostname, port: Number(port ?? (secure ? 465 : 587)) })
    const patience = setTimeout(() => { socket.destroy(new Error('the mail server does not answer')) }, CONNECT_WITHIN_MS)
    open.add(socket)
    const failed = (error: Error) => { callback(error, false) }
    socket.once('close', () => { open.delete(socket); clearTimeout(patience) })
    socket.once('error', failed)
    socket.once('connect', () => {
      clearTimeout(patience)
      socket.off('error', failed)
      callback(null, { connection: socket })
    })
  }
  const transport = createTransport({ url: mailUrl, requireTLS, getSocket, disableFileAccess: true, disableUrlAccess: true, ...TIMEOUTS })
  return {
    close: () => { for (const socket of open) socket.destroy() },
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
