import { useState } from 'react'
import { auth, farewell } from '../auth.ts'
import { codeOf } from '../problems.ts'
import { Link } from '../router.tsx'
import { Field, Form, Page, PasswordField, Status, useAction, type Values } from '../ui.tsx'

export function SignIn () {
  // The address whose owner has not confirmed it yet.
  const [unconfirmed, setUnconfirmed] = useState<string | null>(null)
  const [ended] = useState(farewell)
  const signIn = async ({ email = '', password = '', remember }: Values): Promise<void> => {
    try { await auth.signIn({ email, password, remember: remember === 'on' }) } catch (error) {
      setUnconfirmed(codeOf(error) === 'email_not_verified' ? email : null)
      throw error
    }
  }
  return (
    <Page title='Sign in' lead='Good to see you again.'>
      {ended !== null && <Status>{ended === 'session_ended' ? 'Your session has ended. Please sign in again.' : 'You are signed out.'}</Status>}
      <Form action={signIn} submit='Sign in'>
        <Field label='E-mail address' name='email' type='email' autoComplete='username' required maxLength={254} />
        <PasswordField label='Password' name='password' />
        <label className='check'><input type='checkbox' name='remember' defaultChecked />Keep me signed in on this device</label>
      </Form>
      {unconfirmed !== null && <MailAgain key={unconfirmed} email={unconfirmed} />}
      <p className='aside'><Link href='/forgotten-password'>Forgotten your password?</Link></p>
      <p className='aside'>New here? <Link href='/sign-up'>Create an account</Link></p>
    </Page>
  )
}

export function MailAgain ({ email }: { email: string }) {
  const { run, busy, error } = useAction()
  const [sent, setSent] = useState(false)
  const send = async (): Promise<void> => {
    setSent(false)
    await auth.api.POST('/v1/email-verification', { body: { email } })
    setSent(true)
  }
  return (
    <>
      <button type='button' className='secondary' aria-disabled={busy} onClick={() => { run(send) }}>Send the mail again</button>
      <Status>{error !== null ? 'It could not be sent. Please try again in a moment.' : sent && 'It is on its way.'}</Status>
    </>
  )
}
