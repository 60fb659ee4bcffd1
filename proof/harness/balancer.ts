import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../src/db/embedded/start.ts'
import { StartError } from '../../src/errors.ts'
import { until } from '../../test/helpers/until.ts'
import type { Endings } from './endings.ts'

const HAPROXY = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy'].find(existsSync)

/**
 * Round robin without affinity. What a balancer may repeat without knowing the service: a request that no node has seen, because the connection was
 * refused. What broke after it was sent is *not* repeated here: that the client may do so safely is what is to be shown.
 */
export const configuration = (port: number | string, nodes: readonly { name: string, port: number | string }[]): string => `
global
    maxconn 4000
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 30s
    timeout http-keep-alive 60s
    timeout check 2s
    retries 3
    option redispatch 1
    retry-on conn-failure
    option forwardfor
frontend clients
    bind 127.0.0.1:${port}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter 250ms fall 2 rise 2
    http-response set-header x-served-by %s
${nodes.map(({ name, port }) => `    server ${name} 127.0.0.1:${port}`).join('\n')}
`

/** HAProxy in front of the nodes, from before the first is up until the end. */
export async function startBalancer ({ teardown }: Endings, folder: string, nodes: readonly { name: string, port: number }[]): Promise<{ url: string, start: () => Promise<void> }> {
  if (!HAPROXY) throw new StartError('HAProxy is missing. It stands in front of the nodes here: `apt-get install haproxy`, or your system\'s package of it.')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    start: async () => {
      const file = join(folder, 'haproxy.cfg')
      await writeFile(file, configuration(port, nodes))
      const child = spawn(HAPROXY, ['-db', '-q', '-f', file], { stdio: ['ignore', 'ignore', 'inherit'] })
      const ended = once(child, 'exit')
      teardown(async () => { child.kill('SIGTERM'); await ended })
      await until(async () => {
        if (child.exitCode !== null) throw new Error(`HAProxy ended with ${child.exitCode}`)
        return await fetch(`${url}/readyz`).then(({ status }) => status === 200, () => false)
      }, 10_000)
    },
  }
}
