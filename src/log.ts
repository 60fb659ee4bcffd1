import { destination, pino, type Logger } from 'pino'
import type { Config } from './config.ts'

export type Log = Logger & {
  /** The line of a request. */
  request: (line: RequestLine) => void
}

/** Nothing in here can hold a secret: what a caller chooses of it is its address, and behind a proxy what that says. */
export type RequestLine = { reqId: string, method: string, route: string | undefined, status: number, address: string | undefined, ms: number }

/** A write for the line of each request would cost it more than all that the service does for it. A crash loses none; `kill -9` those of the last quarter of a second. */
const LATER_MS = 250
/** What a pipe takes in one piece, so that lines of several workers do not run into each other. */
const PIECE = 4_096

type Output = { write: (line: string) => void, later: (line: string) => void }

/** Of what a full disk did not take, to be tried again with the next line. */
const KEPT = 1_048_576

/**
 * The stream could hold lines back itself, but measures all that it holds at every line. It writes at once, and is never told to flush: where
 * nobody reads any more, because a collector died, it would try for ever, and the process stand still. Then the log is lost, and the service goes on.
 */
function standardOutput (): Output {
  const stream = destination({ dest: 1, sync: true, maxLength: KEPT })
  let lost = false
  stream.on('error', ({ code }: NodeJS.ErrnoException) => { lost ||= code === 'EPIPE' })
  const put = (text: string) => { if (!lost) stream.write(text) }
  let held = ''
  const release = () => {
    if (held === '') return
    put(held)
    held = ''
  }
  setInterval(release, LATER_MS).unref()
  process.on('exit', release)
  return {
    write: line => {
      release()
      put(line)
    },
    later: line => {
      if (held.length + line.length > PIECE) release()
      held += line
    },
  }
}

/**
 * JSON lines. Bodies are never logged and of a URL only the path is: tokens and passwords travel in the rest.
 * The redaction below is a second lock behind that.
 * `worker` says on each line which of several processes behind one port it was.
 * `also` is given each line that is written, and `mixin` adds to each.
 */
export function createLog (
  { logLevel, worker }: Pick<Config, 'logLevel'> & { worker?: number },
  { write, also, mixin }: { write?: (line: string) => void, also?: (line: string) => void, mixin?: () => object } = {}
): Log {
  const output = outputTo(write, also)
  const log = pino({
    level: logLevel,
    ...mixin && { mixin },
    base: worker === undefined ? null : { worker },
    timestamp: () => `,"time":"${now()}"`,
    formatters: { level: label => ({ level: label }) },
    redact: ['*.password', '*.new_password', '*.current_password', '*.token', '*.access_token', '*.refresh_token',
      'req.headers', '*.authorization', '*.cookie', '*.connectionString'],
    serializers: {
      req: request => ({ method: request.method, path: String(request.url).split('?', 1)[0]!.slice(0, 200), address: request.ip }),
      res: reply => ({ status: reply.statusCode }),
    },
  }, output)
  if (!log.isLevelEnabled('info')) return Object.assign(log, { request: () => {} })
  // As the logger would write it, of what is known to be there: most of what a request's line costs is to be ready for anything.
  const own = worker === undefined ? '' : `"worker":${worker},`
  return Object.assign(log, {
    request: ({ reqId, method, route, status, address, ms }: RequestLine) => {
      const added = mixin ? JSON.stringify(mixin()).slice(1, -1) : ''
      output.later(`{"level":"info","time":"${now()}",${own}${added && `${added},`}"reqId":"${reqId}","method":"${method}",${member('route', route)}"status":${status},${member('address', address)}"ms":${ms},"msg":"request"}\n`)
    },
  })
}

const PLAIN = /^[\w.:/*-]*$/
const member = (name: string, value: string | undefined): string => value === undefined ? '' : `"${name}":${PLAIN.test(value) ? `"${value}"` : JSON.stringify(value)},`

let [lastMs, lastText] = [0, '']

/** Making the text of an instant costs half a microsecond: under load many lines share a millisecond. */
function now (): string {
  const ms = Date.now()
  if (ms !== lastMs) [lastMs, lastText] = [ms, new Date(ms).toISOString()]
  return lastText
}

function outputTo (write?: (line: string) => void, also?: (line: string) => void): Output {
  if (write) return { write, later: write }
  const output = standardOutput()
  return also
    ? { write: line => { output.write(line); also(line) }, later: line => { output.later(line); also(line) } }
    : output
}
