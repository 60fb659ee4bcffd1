import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { openMailbox } from '../../test/helpers/mailbox.ts'
import { serveMail } from './mail-page.ts'

// The service, a second service, the example app and a mail catcher, on this machine, until Ctrl-C:
//   npm run demo
const APP = 'http://localhost:5173'
const ports = { 'the service': 3000, 'the second service': 4000, 'the example app': 5173, 'the mail': 8025 }
const urlOf = (what: keyof typeof ports): string => `http://localhost:${ports[what]}`

const stops: (() => unknown)[] = []
const children: ChildProcess[] = []
let stopping = false

for (const [what, port] of Object.entries(ports)) {
  if (await isTaken(port)) { console.error(`Port ${port} is taken, and ${what} needs it. Stop what uses it and try again.`); process.exit(1) }
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { stop(0) })

const mailbox = await openMailbox({ teardown: work => { stops.push(work) } }, {}, ({ to, subject, link }) => { console.log(`  mail to ${to}: ${subject}\n    ${link}`) })
const mail = await serveMail(mailbox.letters, ports['the mail'])
stops.push(() => mail.stop())

start('the service', ['src/cli/main.ts', 'serve'], {
  DATA_DIR: '.data/demo', PORT: String(ports['the service']), METRICS_PORT: '0', LOG_LEVEL: 'warn',
  APP_URL: APP, CORS_ORIGINS: APP, MAIL_URL: mailbox.url, REQUIRE_VERIFIED_EMAIL: 'true',
})
start('the second service', ['examples/spa/service.ts'])
start('the example app', ['node_modules/vite/bin/vite.js', '--logLevel', 'error'], {}, 'examples/spa')

for (const [what, path] of [['the service', '/readyz'], ['the second service', '/'], ['the example app', '/']] as const) await answers(`${urlOf(what)}${path}`)
console.log(`
  The example app   ${APP}
  Its mail          ${urlOf('the mail')}
  The service       ${urlOf('the service')}/docs
  A second service  ${urlOf('the second service')}/greeting

  Ctrl-C stops everything. The accounts stay in .data/demo.
`)
if (process.stdout.isTTY && !process.env['CI']) showPage(APP)

function start (what: string, args: string[], env: Record<string, string> = {}, cwd = '.'): void {
  // A group of its own: Ctrl-C reaches only us, and each is stopped once.
  const child = spawn(process.execPath, args, { cwd, detached: true, env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }, stdio: ['ignore', 'ignore', 'inherit'] })
  children.push(child)
  child.on('exit', code => {
    if (stopping) return
    console.error(`${what} ended by itself (${code}).`)
    stop(1)
  })
}

async function stop (code: number): Promise<void> {
  if (stopping) return
  stopping = true
  const running = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
  await Promise.all(running.map(async child => { child.kill('SIGTERM'); await once(child, 'exit') }))
  for (const work of stops) await work()
  process.exit(code)
}

/** Listens as the others will, on either loopback address. */
async function isTaken (port: number): Promise<boolean> {
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer()
    const fault = await new Promise<NodeJS.ErrnoException | null>(resolve => { server.once('error', resolve).listen(port, host, () => resolve(null)) })
    if (fault?.code === 'EADDRINUSE') return true
    if (!fault) await new Promise(resolve => { server.close(resolve) })
  }
  return false
}

async function answers (url: string): Promise<void> {
  for (let wait = 0; wait < 600; wait++) {
    if (await fetch(url).then(({ status }) => status < 500, () => false)) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

/** Where there is a browser; the address was printed anyway. */
function showPage (url: string): void {
  const [command, args] = process.platform === 'darwin' ? ['open', [url]] : process.platform === 'win32' ? ['cmd', ['/c', 'start', url]] : ['xdg-open', [url]]
  spawn(command as string, args as string[], { stdio: 'ignore', detached: true }).on('error', () => {}).unref()
}
