import { hash } from 'node:crypto'
import type { Log } from '../../log.ts'
import { traced } from '../../trace.ts'

const PATIENCE_MS = 1_000
/** A range has about a thousand lines of 40 bytes, padded or not. */
const MAX_BYTES = 512 * 1024
const PREFIX = 5

/**
 * The k-anonymity range protocol (`GET <url>/range/<5 hex digits>` of SHA-1, lines `SUFFIX:COUNT`): whether a password is known from a breach,
 * without anybody learning which one was asked about. Nobody is kept from choosing a password because that server is away: it fails open, and is counted.
 */
export class BreachedPasswords {
  readonly #source: { url: string, authorization: string | null } | null
  readonly #log: Log
  /** Checks that could not be made. */
  failures = 0

  constructor ({ config: { breachedPasswordsUrl }, log }: { config: { breachedPasswordsUrl?: string | undefined }, log: Log }) {
    this.#source = breachedPasswordsUrl === undefined ? null : withoutCredentials(breachedPasswordsUrl)
    this.#log = log
  }

  async has (password: string): Promise<boolean> {
    if (this.#source === null) return false
    const digest = hash('sha1', password.normalize('NFC')).toUpperCase()
    const source = this.#source
    try { return await traced({ name: 'ask for breaches', kind: 'client' }, async () => await this.#ask(source, digest.slice(0, PREFIX), digest.slice(PREFIX))) } catch (error) {
      this.failures++
      this.#log.warn({ err: (error as Error).message }, 'a password could not be checked against breaches')
      return false
    }
  }

  async #ask ({ url, authorization }: { url: string, authorization: string | null }, prefix: string, suffix: string): Promise<boolean> {
    const answer = await fetch(`${url}/range/${prefix}`, {
      redirect: 'error', // a redirect would take the five digits somewhere that nobody configured
      signal: AbortSignal.timeout(PATIENCE_MS),
      headers: { 'add-padding': 'true', 'user-agent': 'stateless-auth', ...(authorization !== null && { authorization }) },
    })
    if (answer.status !== 200) {
      await answer.body?.cancel()
      throw new Error(`the server answered ${answer.status}`)
    }
    return countIn(await boundedText(answer), suffix) > 0
  }
}

/** Padding lines have a count of 0. */
function countIn (range: string, suffix: string): number {
  const line = range.split(/\r?\n/).find(line => line.slice(0, suffix.length).toUpperCase() === suffix && line[suffix.length] === ':')
  return line === undefined ? 0 : Number(line.slice(suffix.length + 1))
}

async function boundedText ({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array> | null ?? []) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new Error(`the answer is longer than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('latin1')
}

function withoutCredentials (raw: string): { url: string, authorization: string | null } {
  const url = new URL(raw)
  const [user, secret] = [url.username, url.password].map(decodeURIComponent)
  const authorization = url.username === '' ? null : `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`
  url.username = url.password = ''
  return { url: url.href.replace(/\/$/, ''), authorization }
}
