import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { PASSWORD } from '../helpers/world.ts'
import { launch, person } from './support/browser.ts'

t.test('npm run demo: from signing up to a call of the second service, with the mail on a page; one signal stops it all', async t => {
  const demo = spawn(process.execPath, ['scripts/demo/main.ts'], { env: { PATH: process.env['PATH'], HOME: process.env['HOME'], CI: '1' }, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => { demo.kill('SIGTERM') })
  const ended = once(demo, 'exit')
  const lines = createInterface(demo.stdout)
  for await (const line of lines) if (line.includes('Ctrl-C')) break

  const page = await (await person(t, await launch(t))).newPage()
  const email = `${randomBytes(4).toString('hex')}@example.com`
  const fill = async () => {
    await page.getByLabel('E-mail address').fill(email)
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  }
  await page.goto('http://localhost:5173/sign-up')
  await fill()
  await page.getByRole('button', { name: 'Create the account' }).click()
  await page.getByRole('heading', { name: 'Check your mail' }).waitFor()
  await page.goto('http://localhost:8025')
  await page.getByRole('article').filter({ hasText: email }).getByRole('link').click()
  await page.getByRole('button', { name: 'Confirm the address' }).click()
  await page.getByRole('main').getByRole('link', { name: 'Sign in' }).click()
  await fill()
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Call the service' }).click()
  await page.getByText('Hello from another origin.').waitFor()
  t.equal(new URL(page.url()).origin, 'http://localhost:5173')

  demo.kill('SIGINT')
  t.strictSame(await ended, [0, null])
  for (const port of [3000, 4000, 5173, 8025]) await t.rejects(fetch(`http://localhost:${port}`), `nobody listens on ${port}`)
})
