import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { until } from '../../helpers/until.ts'
import type { Letter } from '../../helpers/mailbox.ts'
import { send, type Reply } from '../../helpers/processes.ts'
import { PASSWORD } from '../../helpers/world.ts'

type Mailbox = { next: (address: string) => Promise<Letter> }
export type Ada = { email: string, password: string, access: string, refresh: string }

const post = async (url: string, path: string, body: object, bearer?: string): Promise<Reply> =>
  await send(url, 'POST', path, { body, ...(bearer !== undefined && { bearer }) })

/** Signs up, confirms the address by the link in the mail, and signs in. `urls`: where each request goes, in turn. */
export async function becomeUser (t: Test, urls: readonly string[], mailbox: Mailbox): Promise<Ada> {
  let turn = 0
  const next = () => urls[turn++ % urls.length]!
  const account = { email: `${randomBytes(6).toString('hex')}@example.com`, password: PASSWORD }
  t.equal((await post(next(), '/v1/auth/register', account)).status, 202, 'signed up')
  const early = await post(next(), '/v1/auth/login', account)
  t.match([early.status, early.json.code], [403, 'email_not_verified'], 'not before the address is confirmed')
  const { token } = await mailbox.next(account.email)
  t.equal((await post(next(), '/v1/email-verification/confirm', { token })).status, 204, 'confirmed by the link')
  const signedIn = await post(next(), '/v1/auth/login', { ...account, refresh: 'body' })
  t.equal(signedIn.status, 200, 'signed in')
  return { ...account, access: signedIn.json.access_token, refresh: signedIn.json.refresh_token }
}

/** What a session does in its life, on `urls` in turn; at its end every node refuses it. */
export async function liveASession (t: Test, urls: readonly string[], user: Ada): Promise<void> {
  let { access, refresh } = user
  for (const url of urls) {
    t.equal((await send(url, 'GET', '/v1/auth/verify', { bearer: access })).status, 200, 'verified')
    t.equal((await send(url, 'GET', '/v1/me', { bearer: access })).json.email, user.email)
    const refreshed = await post(url, '/v1/auth/refresh', { refresh_token: refresh })
    t.equal(refreshed.status, 200, 'refreshed')
    ;({ access_token: access, refresh_token: refresh } = refreshed.json)
  }
  t.equal((await post(urls[0]!, '/v1/auth/logout', { refresh_token: refresh })).status, 204, 'signed out')
  for (const url of urls) await until(async () => (await send(url, 'GET', '/v1/auth/verify', { bearer: access })).status === 401, 3_000)
  const over = await post(urls.at(-1)!, '/v1/auth/refresh', { refresh_token: refresh })
  t.match([over.status, over.json.code], [401, 'session_ended'])
}

/** The password is forgotten, and set anew by the link in the mail: every session ends. */
export async function resetPassword (t: Test, urls: readonly string[], mailbox: Mailbox, { email }: Ada): Promise<void> {
  t.equal((await post(urls[0]!, '/v1/password-reset', { email })).status, 202)
  let letter = await mailbox.next(email)
  while (!letter.link.includes('/reset-password')) letter = await mailbox.next(email)
  t.equal((await post(urls.at(-1)!, '/v1/password-reset/confirm', { token: letter.token, new_password: `another ${PASSWORD}` })).status, 204, 'reset')
  t.equal((await post(urls[0]!, '/v1/auth/login', { email, password: `another ${PASSWORD}` })).status, 200, 'the new one')
  t.equal((await post(urls.at(-1)!, '/v1/auth/login', { email, password: PASSWORD })).status, 401, 'not the old one')
}
