import { useState } from 'react'
import { auth } from '../auth.ts'
import { Link, linkToken } from '../router.tsx'
import { Form, Page, PasswordField, type Values } from '../ui.tsx'
import { Incomplete } from './ConfirmLink.tsx'

export function ResetPassword () {
  const [done, setDone] = useState(false)
  if (linkToken === null) return <Incomplete />
  const set = async ({ password = '' }: Values): Promise<void> => {
    await auth.api.POST('/v1/password-reset/confirm', { body: { token: linkToken!, new_password: password } })
    setDone(true)
  }
  if (done) return <Page title='Your new password is set' lead='You were signed out everywhere.'><Link className='button' href='/sign-in'>Sign in with it</Link></Page>
  return (
    <Page title='Set a new password' lead='You will be signed out everywhere, and sign in with the new one.'>
      <Form action={set} submit='Set the password'><PasswordField label='New password' name='password' fresh /></Form>
    </Page>
  )
}
