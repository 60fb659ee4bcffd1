import { destination, pino, type DestinationStream, type Logger } from 'pino'
import type { Config } from './config.ts'

export type Log = Logger

/** A write for the line of each request would cost it more than all that the service does for it. A crash loses none; `kill -9` those of the last quarter of a second. */
const BUFFER = { minLength: 4_096, periodicFlush: 250 }
const OF_A_REQUEST = '"msg":"request"}\n'

function standardOutput (): DestinationStream {
  const stream = destination({ dest: 1, sync: true, ...BUFFER })
  process.on('exit', () => { stream.flushSync() })
  return {
    write: line => {
      stream.write(line)
      if (!line.endsWith(OF_A_REQUEST)) stream.flushSync()
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
  return pino({
    level: logLevel,
    ...mixin && { mixin },
    base: worker === undefined ? null : { worker },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: label => ({ level: label }) },
    redact: ['*.password', '*.new_password', '*.current_password', '*.token', '*.access_token', '*.refresh_token',
      'req.headers', '*.authorization', '*.cookie', '*.connectionString'],
    serializers: {
      req: request => ({ method: request.method, path: String(request.url).split('?', 1)[0]!.slice(0, 200), address: request.ip }),
      res: reply => ({ status: reply.statusCode }),
    },
  }, streamTo(write, also))
}

function streamTo (write?: (line: string) => void, also?: (line: string) => void): DestinationStream {
  if (write) return { write }
  const output = standardOutput()
  return also ? { write: line => { output.write(line); also(line) } } : output
}
