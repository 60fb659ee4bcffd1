import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { openMailbox, type Mailbox } from '../../helpers/mailbox.ts'
import { proxy, type Proxy } from '../../helpers/proxy.ts'

type Teardown = { teardown: (work: () => unknown) => void }
const DIST = 'examples/spa/dist'
const types: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

export type Surroundings = {
  /** The example app, as it was built for production. */
  appUrl: string
  /** The second service. */
  serviceUrl: string
  /** In front of the nodes, and their PUBLIC_URL. */
  balancer: Proxy
  mailbox: Mailbox
  /** What nodes need to know of all this. */
  env: Record<string, string>
}

/** Everything around the nodes: the app on an origin of its own, the second service on another, a balancer, a mail server. */
export async function surroundings (t: Teardown): Promise<Surroundings> {
  const [balancer, mailbox] = [await proxy(t), await openMailbox(t)]
  const site = { authUrl: balancer.url, serviceUrl: '' }
  const appUrl = await serveApp(t, site)
  site.serviceUrl = await startService(t, { AUTH_URL: balancer.url, APP_URL: appUrl })
  return {
    appUrl, balancer, mailbox, serviceUrl: site.serviceUrl,
    env: { PUBLIC_URL: balancer.url, APP_URL: appUrl, CORS_ORIGINS: appUrl, MAIL_URL: mailbox.url, REQUIRE_VERIFIED_EMAIL: 'true' },
  }
}

/** As a web server would: static files, index.html for every path of the app, and a policy that allows nothing but what the app needs. */
async function serveApp (t: Teardown, site: { authUrl: string, serviceUrl: string }): Promise<string> {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url!, 'http://app').pathname
    const file = extname(path) === '' ? '/index.html' : path
    try {
      let content: Buffer | string = await readFile(join(DIST, file))
      if (file === '/index.html') content = content.toString().replace(/(name="auth-url" content=")[^"]*/, `$1${site.authUrl}`).replace(/(name="service-url" content=")[^"]*/, `$1${site.serviceUrl}`)
      response.writeHead(200, {
        'content-type': types[extname(file)] ?? 'application/octet-stream',
        'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src ${site.authUrl} ${site.serviceUrl}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'`,
        'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
      }).end(content)
    } catch { response.writeHead(404).end() }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function startService (t: Teardown, env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, ['examples/spa/service.ts'], { env: { PATH: process.env['PATH'], PORT: '0', HOST: '127.0.0.1', ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => { if (child.exitCode === null) { child.kill('SIGKILL'); await once(child, 'exit') } })
  const { value: line } = await createInterface(child.stdout)[Symbol.asyncIterator]().next()
  return /http:\S+/.exec(line ?? 'the second service ended')![0]
}
