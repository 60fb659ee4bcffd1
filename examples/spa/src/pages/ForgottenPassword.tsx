import { useState } from 'react'
import { auth } from '../auth.ts'
import { Link } from '../router.tsx'
import { Field, Form, Page, type Values } from '../ui.tsx'

export function ForgottenPassword () {
  const [mailedTo, setMailedTo] = useState<string | null>(null)
  const ask = async ({ email = '' }: Values): Promise<void> => {
    await auth.api.POST('/v1/password-reset', { body: { email } })
    setMailedTo(email)
  }
  // The same whether the address has an account or not: strangers learn nothing.
  if (mailedTo !== null) return <Page title='Check your mail' lead={<>If <strong>{mailedTo}</strong> has an account, a link to set a new password is on its way.</>} />
  return (
    <Page title='Forgotten your password?' lead='We send you a link to set a new one.'>
      <Form action={ask} submit='Send the link'>
        <Field label='E-mail address' name='email' type='email' autoComplete='username' required maxLength={254} />
      </Form>
      <p className='aside'><Link href='/sign-in'>Back to signing in</Link></p>
    </Page>
  )
}
