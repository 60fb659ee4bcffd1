const CREDENTIALS = /^(https?:\/\/)[^/@]*@/

type Ask = {
  timeoutMs: number
  /** What is longer is not read to its end. */
  maxBytes: number
  signal: AbortSignal
}

/**
 * A node of the service, asked over HTTP. Every wait and every body is bounded, no redirect is followed (it would carry the
 * credentials elsewhere), and no error names more than path and reason: the URL may carry a secret.
 */
export class Upstream {
  readonly #base: string
  readonly #headers: Record<string, string>

  /** @param url with or without `client_id:client_secret@`, which are sent as HTTP Basic (RFC 6749 §2.3.1) */
  constructor (url: string) {
    const { username, password } = new URL(url)
    this.#base = url.replace(CREDENTIALS, '$1')
    const encoded = [username, password].map(part => encodeURIComponent(decodeURIComponent(part))).join(':')
    this.#headers = { accept: 'application/json', ...(username !== '' && { authorization: `Basic ${Buffer.from(encoded).toString('base64')}` }) }
  }

  async json (path: string, { timeoutMs, maxBytes, signal }: Ask): Promise<unknown> {
    const where = path.split('?', 1)[0]
    const deadline = AbortSignal.timeout(timeoutMs)
    try {
      const answer = await fetch(`${this.#base}${path}`, { headers: this.#headers, redirect: 'manual', signal: AbortSignal.any([deadline, signal]) })
      if (answer.status !== 200) {
        await answer.body?.cancel()
        throw new UpstreamError(`it answered ${answer.status} to ${where}`, answer.status)
      }
      return JSON.parse(await textOf(answer, maxBytes))
    } catch (error) {
      if (error instanceof UpstreamError) throw error
      if (deadline.aborted) throw new UpstreamError(`it did not answer ${where} in time`)
      if (error instanceof SyntaxError) throw new UpstreamError(`it answered no JSON to ${where}`)
      throw new UpstreamError(`it cannot be reached (${codeOf(error)})`)
    }
  }
}

/** Whose message may be logged. */
export class UpstreamError extends Error {
  override name = 'UpstreamError'
  readonly status: number | undefined
  constructor (message: string, status?: number) {
    super(message)
    this.status = status
  }
}

async function textOf ({ body }: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (!body) return ''
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes) throw new UpstreamError(`it answered more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function codeOf (error: unknown): string {
  const { cause, name } = error as { cause?: { code?: unknown }, name?: unknown }
  return typeof cause?.code === 'string' ? cause.code : String(name)
}
