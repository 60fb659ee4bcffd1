import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { until } from './until.ts'

type Teardown = { teardown: (work: () => unknown) => void }

export type Letter = {
  to: string, from: string, subject: string, text: string, html: string, messageId: string
  /** Each header as it came, folded lines joined. */
  headers: Record<string, string>
  /** The first link in the text, and what is behind `#token=` in it; '' where there is none. */
  link: string, token: string
}

export type Mailbox = {
  /** For `MAIL_URL`. */
  url: string
  /** Waits for the next mail to `address` that was not returned before. */
  next: (address: string, withinMs?: number) => Promise<Letter>
  /** What has come to `address` so far, oldest first. */
  all: (address: string) => Letter[]
  /** Everything, oldest first. */
  letters: readonly Letter[]
}

/** A real SMTP server that keeps what it gets. `options` of the server: a fault, a refusal, TLS. `onLetter` hears of each mail. */
export async function openMailbox (t: Teardown, options: SMTPServerOptions = {}, onLetter: (letter: Letter) => void = () => {}): Promise<Mailbox> {
  const letters: Letter[] = []
  const returned = new Set<Letter>()
  const server = new SMTPServer({
    authOptional: true, disabledCommands: ['STARTTLS'], disableReverseLookup: true, closeTimeout: 100,
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => { chunks.push(chunk) })
      stream.on('end', () => {
        for (const { address } of session.envelope.rcptTo) {
          const letter = letterFrom(address, Buffer.concat(chunks).toString('utf8'))
          letters.push(letter)
          onLetter(letter)
        }
        done()
      })
    },
    ...options,
  })
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  t.teardown(async () => await new Promise<void>(resolve => { server.close(() => resolve()) }))
  const all = (address: string) => letters.filter(({ to }) => to === address)
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    all,
    letters,
    next: async (address, withinMs = 10_000) => {
      const unseen = () => all(address).find(letter => !returned.has(letter))
      await until(() => unseen() !== undefined, withinMs).catch(() => { throw new Error(`no mail came to ${address} within ${withinMs} ms`) })
      const letter = unseen()!
      returned.add(letter)
      return letter
    },
  }
}

/** Enough of MIME for what the service sends: two parts, in base64, quoted-printable or as they are. */
function letterFrom (to: string, source: string): Letter {
  const { headers, body } = split(source)
  const boundary = /boundary="([^"]+)"/.exec(headers['content-type'] ?? '')?.[1]
  const parts = boundary === undefined ? [split(source)] : body.split(`--${boundary}`).slice(1, -1).map(part => split(part.replace(/^\r\n/, '')))
  const part = (type: string) => {
    const found = parts.find(({ headers }) => headers['content-type']?.startsWith(type))
    return found ? decoded(found.body, found.headers['content-transfer-encoding']).trim().replaceAll('\r\n', '\n') : ''
  }
  const text = part('text/plain')
  const link = /https?:\/\/\S+#token=\S+/.exec(text)?.[0] ?? ''
  return {
    to, headers, from: headers['from'] ?? '', subject: words(headers['subject'] ?? ''), messageId: headers['message-id'] ?? '',
    text, html: part('text/html'), link, token: link.split('#token=')[1] ?? '',
  }
}

function split (source: string): { headers: Record<string, string>, body: string } {
  const [head, ...rest] = source.split('\r\n\r\n')
  const lines = head!.replace(/\r\n[ \t]+/g, ' ').split('\r\n')
  return { headers: Object.fromEntries(lines.map(line => [line.split(':', 1)[0]!.toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])), body: rest.join('\r\n\r\n') }
}

const quotedPrintable = (text: string): Buffer => Buffer.from(text.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), 'latin1')

function decoded (body: string, encoding = '7bit'): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8')
  return encoding === 'quoted-printable' ? quotedPrintable(body.replace(/=\r\n/g, '')).toString('utf8') : body
}

/** RFC 2047. */
const words = (header: string): string => header.replace(/\?= =\?/g, '?==?').replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, form: string, word: string) =>
  form.toLowerCase() === 'b' ? Buffer.from(word, 'base64').toString('utf8') : quotedPrintable(word.replaceAll('_', ' ')).toString('utf8'))
