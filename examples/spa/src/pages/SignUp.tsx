import { useState } from 'react'
import { auth } from '../auth.ts'
import { Link } from '../router.tsx'
import { Field, Form, Page, PasswordField, type Values } from '../ui.tsx'
import { MailAgain } from './SignIn.tsx'

export function SignUp () {
  const [mailedTo, setMailedTo] = useState<string | null>(null)
  const signUp = async ({ name = '', email = '', password = '' }: Values): Promise<void> => {
    await auth.signUp({ email, password, ...(name.trim() !== '' && { name: name.trim() }) })
    setMailedTo(email)
  }
  if (mailedTo !== null) {
    return (
      <Page title='Check your mail' lead={<>We sent a link to <strong>{mailedTo}</strong>. Open it to confirm that the address is yours.</>}>
        <MailAgain email={mailedTo} />
        <p className='aside'>Done? <Link href='/sign-in'>Sign in</Link></p>
      </Page>
    )
  }
  return (
    <Page title='Create an account' lead='It takes less than a minute.'>
      <Form action={signUp} submit='Create the account'>
        <Field label='Name (optional)' name='name' autoComplete='name' maxLength={200} />
        <Field label='E-mail address' name='email' type='email' autoComplete='username' required maxLength={254} />
        <PasswordField label='Password' name='password' fresh />
      </Form>
      <p className='aside'>You have an account? <Link href='/sign-in'>Sign in</Link></p>
    </Page>
  )
}
