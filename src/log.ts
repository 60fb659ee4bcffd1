import { pino, type DestinationStream, type Logger } from 'pino'
import type { Config } from './config.ts'

export type Log = Logger

/**
 * JSON lines. Bodies are never logged and of a URL only the path is: tokens and passwords travel in the rest.
 * The redaction below is a second lock behind that.
 * `worker` says on each line which of several processes behind one port it was.
 */
export function createLog ({ logLevel, worker }: Pick<Config, 'logLevel'> & { worker?: number }, destination?: DestinationStream): Log {
  return pino({
    level: logLevel,
    base: worker === undefined ? null : { worker },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: label => ({ level: label }) },
    redact: ['*.password', '*.new_password', '*.current_password', '*.token', '*.access_token', '*.refresh_token',
      'req.headers', '*.authorization', '*.cookie', '*.connectionString'],
    serializers: {
      req: request => ({ method: request.method, path: String(request.url).split('?', 1)[0]!.slice(0, 200), address: request.ip }),
      res: reply => ({ status: reply.statusCode }),
    },
  }, destination)
}
